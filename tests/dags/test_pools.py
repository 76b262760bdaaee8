"""A site's tasks wait in its pool, which is always there, and never holds all workers."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from network_under_test import MAINSTEM, Network

pytest.importorskip("airflow")
pytestmark = pytest.mark.airflow

DAGS = """
import json, os
from dags.site_dag import replay_dag, site_dag
told = {}
for dag in (site_dag("west"), site_dag("broken"), replay_dag("west")):
    told[dag.dag_id] = [{task.pool for task in dag.tasks}.pop(), len({task.pool for task in dag.tasks}), dag.doc_md]
print("RESULT " + json.dumps(told))
"""


@pytest.fixture
def sites(lhn: Network, tmp_path: Path) -> Path:
    """A site of many types that would take twenty workers, a small one, one whose file is broken."""
    lhn.files_site("west", tmp_path, parallel=20)
    lhn.files_site("north", tmp_path, parallel=20, types=["Patient", "Condition"])
    (lhn.folder / "broken.toml").write_text("raod = 1\n")
    return lhn.folder


def run(python: Path, program: str, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [python, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(lines[0].removeprefix("RESULT "))
    return found


@pytest.mark.slow
def test_every_task_of_a_site_waits_in_its_pool_and_the_doc_is_its_runbook(sites: Path, tmp_path: Path) -> None:
    """The refresh and the replay in one; a broken file's too. The doc links to the last report and to the pages that answer."""
    environment = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__API__BASE_URL": "https://airflow.example/",
        "MAINSTEM_SITES": str(sites),
        "MAINSTEM_DOCS_ADDRESS": "https://docs.example",
    }
    told = run(MAINSTEM.with_name("python"), DAGS, **environment)
    assert {name: found[:2] for name, found in told.items()} == {
        "ehr_pull__west": ["ehr_west", 1],
        "ehr_replay__west": ["ehr_west", 1],
        "ehr_pull__broken": ["ehr_broken", 1],
    }
    doc = told["ehr_pull__west"][2]
    for words in (
        "(https://airflow.example/dags/ehr_pull__west/tasks/report)",
        "(https://docs.example/reference/problems/)",
        "(https://docs.example/how-to/night/)",
        "mainstem status --site west",
        "`ehr_west`",
    ):
        assert words in doc, words


def test_pools_are_told_as_airflow_imports_them_and_no_site_has_more_than_half(sites: Path) -> None:
    done = subprocess.run(
        [MAINSTEM, "sites", "pools", sites, "--at-once", "8"], capture_output=True, text=True, timeout=60, check=True
    )
    told = json.loads(done.stdout)
    assert {name: pool["slots"] for name, pool in told.items()} == {"ehr_broken": 1, "ehr_north": 2, "ehr_west": 4}
    assert all(pool["include_deferred"] is True and pool["description"] for pool in told.values())


@pytest.fixture
def pools(tmp_path: Path) -> Any:
    """Airflow's table of pools, alone, and what stands in it."""
    from airflow.models.pool import Pool
    from sqlalchemy import create_engine, select
    from sqlalchemy.orm import Session

    engine = create_engine(f"sqlite:///{tmp_path}/pools.db")
    Pool.metadata.create_all(engine, [Pool.metadata.tables[name] for name in ("team", "slot_pool")])
    with Session(engine) as session:
        yield session, lambda: {row.pool: row.slots for row in session.scalars(select(Pool))}
    engine.dispose()


def test_a_pool_that_is_missing_is_made_when_a_run_begins_and_one_that_is_there_is_left_alone(
    pools: tuple[Any, Callable[[], dict[str, int]]],
) -> None:
    """Else its tasks would never start, and nothing would say why."""
    from dags.pools import make_missing, slots_of

    session, standing = pools
    tasks = [
        SimpleNamespace(pool="ehr_west", max_active_tis_per_dagrun=None),
        SimpleNamespace(pool="ehr_west", max_active_tis_per_dagrun=20),
        SimpleNamespace(pool="default_pool", max_active_tis_per_dagrun=9),
    ]
    wanted = slots_of(tasks)
    assert wanted == {"ehr_west": 20}
    make_missing(session, wanted, 32)
    assert standing() == {"ehr_west": 16}
    make_missing(session, wanted, 4)
    make_missing(session, {"ehr_north": 3}, 1)
    assert standing() == {"ehr_west": 16, "ehr_north": 1}
