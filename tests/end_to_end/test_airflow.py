"""Airflow runs the same steps as the command line: the same events, and nothing but references and counts in XCom."""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from exporting import Exports
from hospital_with_faults import Answered, FaultyHospital
from network_under_test import Network
from screens import sound_child
from synthetic_children import PLANTED, RECORDS_A_CHILD, children, deliver

from mainstem.config.dag_stubs import stubs
from schemas.outcomes import LENDING_TYPES, REFERRED_TYPES
from transforms.resources import mappings

REPOSITORY = Path(__file__).parents[2]
pytestmark = [pytest.mark.airflow, pytest.mark.timeout(1200)]
TYPES = ["Patient", "Condition", "Observation"]

RUN_DAG = """
import json, runpy, sys
from datetime import timedelta
from airflow.models.asset import AssetEvent
from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from dags import site_dag
site_dag.DEFAULTS.update(retries=2, retry_delay=timedelta(seconds=1), retry_exponential_backoff=0.0)
site_dag.AWAY = timedelta(seconds=1)
if sys.argv[4:]:
    from mainstem.refresh import map as map_module
    exec(sys.argv[4])
dag = runpy.run_path(sys.argv[1])[sys.argv[3]]
ended = dag.test(run_conf=json.loads(sys.argv[2]))
with create_session() as session:
    run = session.get(DagRun, ended.id)
    xcoms = [json.dumps(row.value) for row in session.query(XComModel).filter(XComModel.dag_run_id == run.id)]
    tasks = run.get_task_instances(session=session)
    print("RESULT " + json.dumps({
        "state": str(run.state), "note": run.note, "xcoms": xcoms, "tasks": sorted({t.task_id for t in tasks}),
        "failed": sorted(t.task_id for t in tasks if t.state == "failed"),
        "open": sorted(t.task_id for t in tasks if t.end_date is None and t.state != "upstream_failed"),
        "tries": {t.task_id: t.try_number for t in tasks},
        "shown": sorted(t.rendered_map_index for t in tasks if t.task_id == "map_divided"),
        "divided": [json.loads(row.value) if isinstance(row.value, str) else row.value
            for row in session.query(XComModel).filter(
                XComModel.dag_run_id == run.id, XComModel.task_id == "map_divided", XComModel.key == "return_value")],
        "announced": [[event.asset.uri, event.extra] for event in session.query(AssetEvent).filter(
            AssetEvent.source_run_id == run.run_id, AssetEvent.source_dag_id == run.dag_id)],
    }))
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
        timeout=600,
    )
    return home


def airflow_environment(home: Path) -> dict[str, str]:
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    }


def run_dag(
    lhn: Network, home: Path, site: str, which: str = "pull", *, haste: str = "", **conf: object
) -> tuple[dict[str, Any], str]:
    """A whole DAG run in a process of its own; what it says of itself, and all its output. `haste`: a statement before it."""
    stub = home / "dags" / f"ehr_pull__{site}.py"
    stub.parent.mkdir(exist_ok=True)
    stub.write_text(stubs(lhn.folder)[stub.name])
    done = subprocess.run(
        [sys.executable, "-c", RUN_DAG, stub, json.dumps(conf), which, *([haste] if haste else [])],
        env={**lhn.environment, **airflow_environment(home), "MAINSTEM_SITES": str(lhn.folder)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    results = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert results, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(results[0].removeprefix("RESULT ")), done.stdout + done.stderr


def documents(text: str) -> Iterator[Any]:
    """JSON values one after the other: tasks that end at once write their lines' ends later."""
    decoder, place = json.JSONDecoder(), 0
    while text[place:].strip():
        place += len(text[place:]) - len(text[place:].lstrip())
        value, place = decoder.raw_decode(text, place)
        yield value


def told(result: dict[str, Any], *what: str) -> dict[str, str]:
    """What the run's note says of each of these; the cause is its first line."""
    assert result["note"], "a run without a note"
    assert len(result["note"]) <= 1000
    cause, *others = result["note"].splitlines()
    lines = {"Cause": cause} | dict(line.split(": ", 1) for line in others)
    assert set(what) <= set(lines), result["note"]
    return lines


def contents(lhn: Network, site: str) -> list[tuple[str, str]]:
    """Each event's id, operation and record, without what names the load."""
    return sorted(
        (event.headers["ce_id"], event.operation, json.dumps(json.loads(event.raw)["record"], sort_keys=True))
        for event in lhn.events()
        if event.site == site and event.raw
    )


@pytest.mark.slow
def test_airflow_and_the_command_line_publish_the_same_events(lhn: Network, airflow_home: Path, tmp_path: Path) -> None:
    """One site, refreshed by its DAG in one network and by `mainstem run` in another."""
    deliver(children(3), tmp_path / "west")
    lhn.files_site("west", tmp_path / "west", parallel=2)
    result, output = run_dag(lhn, airflow_home, "west")
    assert result["state"] == "success", output[-4000:]
    assert result["tasks"] == ["complete", "derive", "map_types", "plan", "preflight", "publish", "pull", "report"]
    by_airflow = contents(lhn, "west")
    assert len(by_airflow) == 3 * RECORDS_A_CHILD
    assert result["note"].startswith("west: load ")
    assert "Watermark: complete up to " in result["note"]
    ((asset, told_with_it),) = result["announced"]
    assert asset == f"kafka://{lhn.settings.kafka}/{lhn.settings.network}.outcome.v1"
    assert told_with_it["published"] == 3 * RECORDS_A_CHILD

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

    xcoms = [str(value) for value in result["xcoms"]]
    assert xcoms
    assert max(map(len, xcoms)) < 1024
    for planted in PLANTED:
        assert planted.decode() not in output
        assert not any(planted.decode() in value for value in xcoms)


@pytest.mark.slow
def test_lineage_tells_the_topic_that_a_run_wrote_and_nothing_of_a_patient(
    lhn: Network, airflow_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Airflow's OpenLineage provider into a file: one output, of the run that published; by the name that a catalogue gives Kafka."""
    pytest.importorskip("airflow.providers.openlineage", reason="the extra airflow-beyond brings it")
    told = tmp_path / "lineage.jsonl"
    transport = {"type": "file", "log_file_path": str(told), "append": True}
    monkeypatch.setenv("AIRFLOW__OPENLINEAGE__TRANSPORT", json.dumps(transport))
    monkeypatch.setenv("AIRFLOW__OPENLINEAGE__NAMESPACE", "lhn")
    deliver(children(2), tmp_path / "west")
    lhn.files_site("west", tmp_path / "west")
    result, output = run_dag(lhn, airflow_home, "west")
    assert result["state"] == "success", output[-4000:]
    written = told.read_bytes()
    events = list(documents(written.decode()))
    assert {event["job"]["namespace"] for event in events} == {"lhn"}
    outputs = {
        (event["job"]["name"], each["namespace"], each["name"]) for event in events for each in event.get("outputs", ())
    }
    topic = f"{lhn.settings.network}.outcome.v1"
    assert outputs == {("ehr_pull__west.complete", f"kafka://{lhn.settings.kafka}", topic)}
    assert [planted for planted in PLANTED if planted in written] == []


@pytest.mark.slow
def test_slices_of_a_large_type_are_tasks_that_give_what_one_process_gives(
    make_network: Any, broker: str, postgres_server: Any, network: str, airflow_home: Path, tmp_path: Path
) -> None:
    """A site with `workers = 2`, its readings counted as large: in a real run two tasks map the slices; the command line alone tells the same."""
    deliver(children(4), tmp_path / "west")
    runs = []
    for name, workers in (("divided", 2), ("alone", 1)):
        url = postgres_server.create_database(f"d_{name}_{abs(hash(network)):x}")
        lhn = make_network(broker, store=url)
        lhn.settings = lhn.settings.model_copy(
            update={"network": f"{network}-{name}", "landing": tmp_path / f"landing-{name}"}
        )
        assert lhn.mainstem("topics", "create", "--replication", "1", "--partitions", "3").returncode == 0
        path = lhn.files_site("west", tmp_path / "west", parallel=2, workers=workers)
        runs.append(lhn)
        if workers > 1:
            result, output = run_dag(lhn, airflow_home, "west", haste="map_module.SPLIT_FROM = 1")
            assert result["state"] == "success", output[-4000:]
            assert "map_divided" in result["tasks"]
            assert result["shown"] == ["part 1 of 2", "part 2 of 2"]
            assert [each["read"] > 0 for each in result["divided"]] == [True, True]
        else:
            assert lhn.mainstem("run", path).returncode == 0
    by_tasks, alone = (contents(lhn, "west") for lhn in runs)
    assert len(alone) == 4 * RECORDS_A_CHILD
    assert by_tasks == alone


@pytest.mark.slow
def test_a_site_that_cannot_be_read_fails_its_run_at_once_and_says_why(
    lhn: Network, airflow_home: Path, tmp_path: Path
) -> None:
    """The folder is missing: the first task fails without retries, it alone is red, and the run's note says why."""
    lhn.files_site("west", tmp_path / "nowhere")
    result, output = run_dag(lhn, airflow_home, "west")
    assert result["state"] == "failed"
    assert result["failed"] == ["preflight"], output[-4000:]
    assert result["tries"]["preflight"] == 1
    assert told(result, "Where", "Cause", "Fix", "Who", "Retry", "Watermark")["Cause"].count("nowhere")


@pytest.mark.slow
def test_a_broken_site_file_is_a_dag_whose_first_task_fails_with_the_sentence(
    lhn: Network, airflow_home: Path, tmp_path: Path
) -> None:
    """A typing error: no import error, no other site hurt, nothing left running; the run says which key of which file."""
    deliver(children(1), tmp_path / "west")
    lhn.files_site("west", tmp_path / "west")
    broken = lhn.files_site("east", tmp_path / "west")
    broken.write_text(broken.read_text().replace("road = ", "raod = "))
    result, output = run_dag(lhn, airflow_home, "east")
    assert result["state"] == "failed"
    assert result["failed"] == ["preflight"], output[-4000:]
    assert (result["tries"]["preflight"], result["open"]) == (1, [])
    assert "east.toml" in told(result, "Cause")["Cause"]
    assert "raod" in told(result, "Cause")["Cause"] + told(result, "Fix")["Fix"]
    assert run_dag(lhn, airflow_home, "west")[0]["state"] == "success"


@pytest.mark.parametrize(
    ("was", "written"), [("[files]", "[files"), ("[files]", 'schedule = "0 25 * * *"\n[files]'), ("west", "\0")]
)
@pytest.mark.slow
def test_whatever_stands_in_a_site_file_its_stub_gives_a_dag(
    lhn: Network, airflow_home: Path, tmp_path: Path, was: str, written: str
) -> None:
    """No TOML, no cron expression, no text: the DAG has the file's name, and what is wrong stands beside it."""
    path = lhn.files_site("west", tmp_path)
    path.write_text(path.read_text().replace(was, written))
    stub = tmp_path / "stubs" / "ehr_pull__west.py"
    stub.parent.mkdir()
    stub.write_text(stubs(lhn.folder)[stub.name])
    found = loaded(airflow_home, stub.parent, MAINSTEM_SITES=str(lhn.folder))
    assert found == {"errors": {}, "dags": ["ehr_pull__west", "ehr_replay__west"], "said": [True, True]}


@pytest.mark.slow
def test_one_missing_file_is_a_gap_and_the_rest_is_loaded(lhn: Network, airflow_home: Path, tmp_path: Path) -> None:
    """As on the command line: the run goes on, and its note names the type, the cause and how far the site is read."""
    deliver(children(2), tmp_path / "west")
    lost = sorted((tmp_path / "west").iterdir())[0]
    kind = lost.name.split(".")[0].split("-")[0]
    lhn.files_site("west", tmp_path / "west", parallel=2)
    assert run_dag(lhn, airflow_home, "west")[0]["state"] == "success"
    before = len(lhn.events())
    lost.unlink()
    deliver(children(3), tmp_path / "west")
    lost.unlink()
    result, output = run_dag(lhn, airflow_home, "west")
    assert (result["state"], result["failed"]) == ("success", []), output[-4000:]
    assert len(lhn.events()) > before
    assert kind in result["note"]
    assert "partial" in result["note"]
    assert "Watermark: complete up to " in result["note"]


@pytest.mark.slow
def test_an_ehr_that_is_down_is_tried_again_and_only_then_is_the_run_red(
    lhn: Network, airflow_home: Path, tmp_path: Path
) -> None:
    """Nobody listens: the first task is tried as often as allowed; it alone is red."""
    lhn.site("west", '[fhir]\nbase_url = "http://127.0.0.1:9/fhir"\n', road="search")
    result, output = run_dag(lhn, airflow_home, "west")
    assert (result["state"], result["failed"]) == ("failed", ["preflight"]), output[-4000:]
    assert result["tries"]["preflight"] == 3
    assert "may succeed by itself" in told(result, "Retry")["Retry"]


@pytest.mark.slow
def test_a_dry_run_proves_the_site_and_loads_nothing(lhn: Network, airflow_home: Path, tmp_path: Path) -> None:
    """`dry_run` ends after the check."""
    deliver(children(1), tmp_path / "west")
    lhn.files_site("west", tmp_path / "west")
    result, output = run_dag(lhn, airflow_home, "west", dry_run=True)
    assert result["state"] == "success", output[-4000:]
    assert lhn.events() == []
    assert "dry run" in str(result["note"])


BUSY = """
from types import SimpleNamespace as Of
from dags import site_dag
from mainstem.refresh import BusyError

left = []
site_dag.get_current_context = lambda: {"ti": Of(try_number=6, max_tries=5, xcom_push=lambda **what: left.append(what))}

def busy(*_):
    raise BusyError("process 7 is at step pull of west already", "Wait until it ends.")

refresh = Of(store=Of(loads=Of(pulled=lambda load: {"Patient": "pulled once already"})))
try:
    site_dag._pull(refresh, Of(pull_units=busy, BusyError=BusyError), "west/1", ["Patient"])
except BusyError:
    print("busy", left)
"""


@pytest.mark.slow
def test_a_unit_that_somebody_else_is_at_is_no_gap_however_often_it_was_tried(airflow_home: Path) -> None:
    """The task fails as busy; told as missing, it would send an engineer to look for a delivery that is there."""
    done = subprocess.run(
        [sys.executable, "-c", BUSY],
        env={**os.environ, **airflow_environment(airflow_home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.strip().endswith("busy []"), done.stderr[-2000:]


@pytest.mark.slow
def test_a_landing_is_mapped_again_by_its_own_dag(lhn: Network, airflow_home: Path, tmp_path: Path) -> None:
    """The run's note says what was done; with nothing landed, why not; what a code map leaves as it is is not published again."""
    deliver(children(1), tmp_path / "west")
    (lhn.folder / "map.csv").write_text("system,code,target_system,target_code,note\n")
    path = lhn.files_site("west", tmp_path / "west", code_map="map.csv")
    result, output = run_dag(lhn, airflow_home, "west", "replay")
    assert result["state"] == "failed", output[-4000:]
    assert "the landing holds nothing" in told(result, "Cause", "Fix", "Who")["Cause"]
    lhn.refresh(path)
    before = len(lhn.events())
    (lhn.folder / "map.csv").write_text(
        "system,code,target_system,target_code,note\nurn:oid:9.9,X,http://loinc.org,8302-2,\n"
    )
    result, output = run_dag(lhn, airflow_home, "west", "replay")
    assert result["state"] == "success", output[-4000:]
    assert "completed: read" in result["note"]
    assert "remap of what was landed, no watermark moves by it" in result["note"]
    assert len(lhn.events()) == before


def test_the_stubs_are_in_step_with_the_site_files() -> None:
    """`make generated` was run after the last site was added."""
    committed = {path.name: path.read_text() for path in (REPOSITORY / "dags").glob("ehr_*__*.py")}
    committed["network_freshness.py"] = (REPOSITORY / "dags" / "network_freshness.py").read_text()
    assert stubs(REPOSITORY / "sites") == committed


@pytest.mark.slow
def test_every_stub_is_a_dag_airflow_can_load(airflow_home: Path) -> None:
    """No import error, two DAGs a site and one that looks after all."""
    found = loaded(airflow_home, REPOSITORY / "dags")
    assert found["errors"] == {}
    sites = [path.stem for path in sorted((REPOSITORY / "sites").glob("*.toml"))]
    of_sites = [f"{prefix}{site}" for prefix in ("ehr_pull__", "ehr_replay__") for site in sites]
    assert found["dags"] == [*of_sites, "network_freshness"]


@pytest.mark.slow
def test_freshness_is_a_task_a_site_and_red_where_somebody_must_look(
    lhn: Network, airflow_home: Path, tmp_path: Path
) -> None:
    """West was loaded, north never yet, east's file is broken: east alone is red, and its last line says what to do."""
    deliver(children(1), tmp_path / "west")
    assert lhn.mainstem("run", lhn.files_site("west", tmp_path / "west")).returncode == 0
    lhn.files_site("north", tmp_path / "west")
    broken = lhn.files_site("east", tmp_path / "west")
    broken.write_text(broken.read_text().replace("road = ", "raod = "))
    stub = airflow_home / "dags" / "network_freshness.py"
    stub.parent.mkdir(exist_ok=True)
    stub.write_text(stubs(lhn.folder)[stub.name])
    program = RUN_DAG.replace(
        '"tries": {',
        '"sites": {str(t.rendered_map_index): str(t.state) for t in tasks if t.task_id == "fresh"}, "tries": {',
    )
    done = subprocess.run(
        [sys.executable, "-c", program, stub, "{}", "dag"],
        env={**lhn.environment, **airflow_environment(airflow_home), "MAINSTEM_SITES": str(lhn.folder)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    (result,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    found = json.loads(result.removeprefix("RESULT "))
    assert found["state"] == "failed"
    assert found["sites"] == {"east": "failed", "north": "success", "west": "success"}
    assert "east is broken file" in done.stdout + done.stderr
    assert "raod" in done.stdout + done.stderr


def loaded(home: Path, folder: Path, **environment: str) -> dict[str, Any]:
    """What Airflow finds in a folder of DAGs: import errors, DAGs, and whether each says that its file is broken."""
    program = (
        "from airflow.dag_processing.dagbag import DagBag; import sys, json;"
        "bag = DagBag(sys.argv[1]);"
        "said = ['cannot be read' in dag.doc_md for dag in bag.dags.values()];"
        "print('RESULT ' + json.dumps({'errors': bag.import_errors, 'dags': sorted(bag.dags), 'said': said}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        env={**os.environ, **airflow_environment(home), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(lines[0].removeprefix("RESULT "))
    return found


SHOUTED, WHISPERED = "\x1b]0;zx-planted\x07[bold]zx-planted", "Zx-Whispered"
"""What steers a terminal, and what is a patient's; both stand wherever the hospital writes."""


@pytest.mark.slow
def test_hostile_words_reach_neither_xcom_nor_the_logs_of_a_real_run(
    lhn: Network, airflow_home: Path, faulty: FaultyHospital
) -> None:
    """Of a server's name, an error's text, ids, codes and texts of resources, and a link: by a real run's XComs, note and logs."""
    said = {
        "resourceType": "CapabilityStatement",
        "fhirVersion": "4.0.1",
        "software": {"name": SHOUTED, "version": SHOUTED},
    }
    issue = [{"severity": "error", "code": SHOUTED, "diagnostics": f"{SHOUTED} {WHISPERED}"}]
    wrong = Answered({"resourceType": "OperationOutcome", "issue": issue}, 400, {"Retry-After": WHISPERED})
    answers = {"metadata": Answered(said), "Encounter": wrong, "Condition": Answered(f"{SHOUTED}{WHISPERED}".encode())}
    faulty.faults.append(lambda asked: answers.get(asked.path))
    coding = {"system": SHOUTED, "code": WHISPERED, "display": SHOUTED}
    name = [{"family": WHISPERED, "text": SHOUTED}]
    faulty.put({"resourceType": "Patient", "id": "kid-1", "birthDate": SHOUTED, "name": name, "gender": WHISPERED})
    faulty.put({"resourceType": "Patient", "id": SHOUTED, "name": name}, {"resourceType": "Patient", "id": "kid-2"})
    faulty.resources["AllergyIntolerance"] = [
        {"resourceType": SHOUTED, "id": WHISPERED, "patient": {"reference": WHISPERED}, "code": {"coding": [coding]}}
    ]
    source = f'[fhir]\nbase_url = "{faulty.base_url}"\nrequests_per_second = 1000\n'
    lhn.site(
        "west", source, road="search", types=["Patient", "Encounter", "Condition", "AllergyIntolerance"], parallel=1
    )
    result, output = run_dag(lhn, airflow_home, "west")
    left = [*result["xcoms"], result["note"], output, *_logged(airflow_home)]
    assert result["tasks"]
    assert len(left) > 3
    for text in left:
        assert WHISPERED not in text
        assert "\x1b]0;" not in text
        assert "\\u001b]0;" not in text


def _logged(home: Path) -> list[str]:
    """What the tasks' logs hold."""
    return [path.read_text(errors="replace") for path in (home / "logs").rglob("*") if path.is_file()]


@pytest.mark.slow
def test_nothing_planted_in_a_delivery_stands_in_what_a_real_run_leaves(
    lhn: Network, airflow_home: Path, tmp_path: Path
) -> None:
    """In every field of every type; a second run with a file cut off. Searched: all of Airflow's own database (XComs, rendered
    templates, notes, serialised DAGs), its logs, the run's output."""
    planted = runpy.run_path(str(Path(__file__).parent / "test_planted.py"))
    lines = planted["delivery"](tmp_path / "west")
    types = sorted({*mappings(), *REFERRED_TYPES, *LENDING_TYPES})
    lhn.files_site("west", tmp_path / "west", types=types, parallel=1)
    first, output = run_dag(lhn, airflow_home, "west")
    assert first["state"] == "success", output[-3000:]
    assert f"read {lines}," in first["note"], first["note"]
    cut = tmp_path / "west" / "Patient.ndjson"
    cut.write_bytes(cut.read_bytes()[:-40])
    second, more = run_dag(lhn, airflow_home, "west")
    database = b"".join(path.read_bytes() for path in airflow_home.glob("airflow.db*"))
    assert b"rendered_task_instance_fields" in database
    assert first["note"].encode()[:20] in database
    left = [database, *map(str.encode, (output, more, str(first), str(second), *_logged(airflow_home)))]
    everything = b"\n".join(left).lower()
    assert [secret for secret in planted["SECRETS"] if secret in everything] == []


@pytest.mark.slow
def test_an_export_that_takes_its_time_holds_no_worker_and_is_taken_up(
    lhn: Network, airflow_home: Path, exports: Exports
) -> None:
    """In a run of Airflow's own: rescheduled, one job, the run whole."""
    exports.hospital.put(*sound_child())
    exports.status = [Answered({}, 202, {"Retry-After": "1"})] * 2
    lhn.site("slow", f'[fhir]\nbase_url = "{exports.hospital.base_url}"\n', road="bulk", types=TYPES)
    result, output = run_dag(lhn, airflow_home, "slow")
    assert result["state"] == "success", output[-4000:]
    assert (len(exports.begun), exports.deleted) == (1, ["jobs/1"])
    assert result["tries"]["pull"] == 1
