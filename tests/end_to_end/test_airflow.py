"""Airflow runs the same steps as the command line: the same events, and nothing but references and counts in XCom."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from network_under_test import Network
from synthetic_children import PLANTED, RECORDS_A_CHILD, children, deliver

from mainstem.config.dag_stubs import stubs

REPOSITORY = Path(__file__).parents[2]
pytestmark = pytest.mark.airflow

RUN_DAG = """
import json, runpy, sys
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
dag = runpy.run_path(sys.argv[1])["dag"]
run = dag.test(run_conf=json.loads(sys.argv[2]))
with create_session() as session:
    xcoms = [str(row.value) for row in session.query(XComModel).all()]
print("RESULT " + json.dumps({"state": str(run.state.value), "xcoms": xcoms, "tasks": sorted({t.task_id for t in run.get_task_instances()})}))
"""


@pytest.fixture(scope="module")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An Airflow of the tests' own, its database migrated once."""
    home = tmp_path_factory.mktemp("airflow")
    environment = {**os.environ, **airflow_environment(home)}
    subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env=environment,
        check=True,
        capture_output=True,
        timeout=180,
    )
    return home


def airflow_environment(home: Path) -> dict[str, str]:
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    }


def run_dag(lhn: Network, home: Path, site: str, **conf: object) -> tuple[dict[str, object], str]:
    """A whole DAG run in a process of its own; what it says of itself, and all its output."""
    stub = home / "dags" / f"ehr_pull__{site}.py"
    stub.parent.mkdir(exist_ok=True)
    stub.write_text(stubs(lhn.folder)[stub.name])
    done = subprocess.run(
        [sys.executable, "-c", RUN_DAG, stub, json.dumps(conf)],
        env={**lhn.environment, **airflow_environment(home), "MAINSTEM_SITES": str(lhn.folder)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    results = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert results, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(results[0].removeprefix("RESULT ")), done.stdout + done.stderr


def contents(lhn: Network, site: str) -> list[tuple[str, str]]:
    """Each event's id, operation and record, without what names the load."""
    return sorted(
        (event.headers["ce_id"], event.operation, json.dumps(json.loads(event.raw)["record"], sort_keys=True))
        for event in lhn.events()
        if event.site == site and event.raw
    )


def test_airflow_and_the_command_line_publish_the_same_events(lhn: Network, airflow_home: Path, tmp_path: Path) -> None:
    """One site, refreshed by its DAG in one network and by `mainstem run` in another."""
    deliver(children(3), tmp_path / "west")
    lhn.files_site("west", tmp_path / "west", parallel=2)
    result, output = run_dag(lhn, airflow_home, "west")
    assert result["state"] == "success", output[-4000:]
    assert result["tasks"] == ["complete", "map_types", "plan", "preflight", "publish", "pull", "report"]
    by_airflow = contents(lhn, "west")
    assert len(by_airflow) == 3 * RECORDS_A_CHILD

    other = Network(
        lhn.folder,
        lhn.settings.model_copy(
            update={
                "network": lhn.settings.network + "-cli",
                "database_url": f"sqlite:///{tmp_path / 'cli.db'}",
                "landing": tmp_path / "cli",
            }
        ),
    )
    assert other.mainstem("topics", "create", "--replication", "1", "--partitions", "3").returncode == 0
    assert other.mainstem("run", tmp_path / "west.toml").returncode == 0
    assert contents(other, "west") == by_airflow

    xcoms = [str(value) for value in result["xcoms"]]  # type: ignore[attr-defined]
    assert xcoms
    assert max(map(len, xcoms)) < 1024
    for planted in PLANTED:
        assert planted.decode() not in output
        assert not any(planted.decode() in value for value in xcoms)


def test_a_site_that_cannot_be_read_fails_its_run_at_once_and_says_why(
    lhn: Network, airflow_home: Path, tmp_path: Path
) -> None:
    """The folder is missing: the first task fails without retries, and no load is planned."""
    lhn.files_site("west", tmp_path / "nowhere")
    result, output = run_dag(lhn, airflow_home, "west")
    assert result["state"] == "failed"
    assert "nowhere" in output


def test_a_dry_run_proves_the_site_and_loads_nothing(lhn: Network, airflow_home: Path, tmp_path: Path) -> None:
    """`dry_run` ends after the check."""
    deliver(children(1), tmp_path / "west")
    lhn.files_site("west", tmp_path / "west")
    result, output = run_dag(lhn, airflow_home, "west", dry_run=True)
    assert result["state"] == "success", output[-4000:]
    assert lhn.events() == []


def test_the_stubs_are_in_step_with_the_site_files() -> None:
    """`make generated` was run after the last site was added."""
    committed = {path.name: path.read_text() for path in (REPOSITORY / "dags").glob("ehr_pull__*.py")}
    assert stubs(REPOSITORY / "sites") == committed


def test_every_stub_is_a_dag_airflow_can_load(airflow_home: Path) -> None:
    """No import error, one DAG a site, a schedule in the site's time zone."""
    program = (
        "from airflow.dag_processing.dagbag import DagBag; import sys, json;"
        "bag = DagBag(sys.argv[1]);"
        "print('RESULT ' + json.dumps({'errors': bag.import_errors, 'dags': sorted(bag.dags)}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(REPOSITORY / "dags")],
        env={**os.environ, **airflow_environment(airflow_home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stdout + done.stderr
    found = json.loads(lines[0].removeprefix("RESULT "))
    assert found["errors"] == {}
    assert found["dags"] == [name.removesuffix(".py") for name in sorted(stubs(REPOSITORY / "sites"))]
