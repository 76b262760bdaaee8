"""The embedded parts really start, really answer, and leave nothing behind."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import psutil
import psycopg
import pytest

from mainstem.demo.embedded import (
    Hospital,
    Postgres,
    Running,
    Tansu,
    end_session,
    free_port,
    kafka_answers,
    session_members,
    stop_leftovers,
)
from schemas.errors import OperatorError


def gone(pids: list[int], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids):
            return True
        time.sleep(0.05)
    return False


def listening(pid: int) -> set[str]:
    found = set()
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):  # a database session that ends at this moment
            found |= {c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    return found


def test_postgres_serves_separate_databases_over_a_socket_only(postgres_server: Postgres, postgres_url: str) -> None:
    """Two databases do not see each other's tables, and no TCP port is open."""
    with psycopg.connect(postgres_url) as one, psycopg.connect(postgres_server.url("postgres")) as other:
        one.execute("create table seen (n int)")
        assert other.execute("select count(*) from pg_tables where tablename = 'seen'").fetchone() == (0,)
    assert listening(postgres_server.pid) == set()


def test_postgres_keeps_its_data_over_a_stop_and_leaves_no_process(tmp_path: Path) -> None:
    """What was committed before a stop is there after the next start, in a folder with a very long path too."""
    state = tmp_path / ("long-" * 20)
    with Postgres(state) as first:
        with psycopg.connect(first.create_database("kept"), autocommit=True) as connection:
            connection.execute("create table kept as select 42 as n")
        family = [first.pid, *(child.pid for child in psutil.Process(first.pid).children(recursive=True))]
    assert gone(family)
    with Postgres(state) as second, psycopg.connect(second.url("kept")) as connection:
        assert connection.execute("select n from kept").fetchone() == (42,)


def test_broker_answers_on_loopback_only(tansu: Tansu) -> None:
    """The broker speaks Kafka, and no other address of the machine reaches it."""
    assert kafka_answers(tansu.port)
    assert listening(tansu.pid) == {"127.0.0.1"}


def test_busy_port_is_named_with_the_way_out(tmp_path: Path) -> None:
    """Somebody else's port gives a message with the port and the option, not a traceback or a hang."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OperatorError) as caught, Tansu(tmp_path, port=port):
            pass
    assert str(port) in caught.value.cause
    assert "--kafka-port" in caught.value.fix


def test_hospital_lets_in_registered_clients_only(hospital: Callable[..., Hospital]) -> None:
    """A patient is stored by the hospital's staff; without a token nobody reads it."""
    server = hospital([{"resourceType": "Patient", "id": "p1", "gender": "female"}], smart=True)
    assert server.read("Patient", "p1")["gender"] == "female"
    assert httpx2.get(f"{server.base_url}/Patient/p1").status_code == 401
    assert listening(server.pid) == {"127.0.0.1"}


def test_open_hospital_keeps_versions(hospital: Callable[..., Hospital]) -> None:
    """A correction by PUT raises versionId and lastUpdated, which incremental pulls rely on."""
    server = hospital([{"resourceType": "Patient", "id": "p1", "gender": "female"}])
    before = server.read("Patient", "p1")["meta"]
    server.put({"resourceType": "Patient", "id": "p1", "gender": "male"})
    after = httpx2.get(f"{server.base_url}/Patient/p1").json()["meta"]
    assert (before["versionId"], after["versionId"]) == ("1", "2")
    assert after["lastUpdated"] > before["lastUpdated"]


CHILD = """
import json, sys, time
from pathlib import Path
from mainstem.demo.embedded import Postgres, Running, Tansu
state = Path(sys.argv[1])
parts = [Tansu(state).start(), Postgres(state).start()]
parts.append(Running("stubborn", ["bash", "-c", "trap '' TERM; sleep 1000 & sleep 1000"], state=state).start())
print(json.dumps([part.pid for part in parts]), flush=True)
time.sleep(1000)
"""


def start_parent(state: Path) -> tuple["subprocess.Popen[str]", list[int]]:
    parent = subprocess.Popen([sys.executable, "-c", CHILD, str(state)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = json.loads(parent.stdout.readline())
    time.sleep(0.2)
    return parent, [member for pid in pids for member in session_members(pid)]


@pytest.mark.slow
def test_killed_parent_leaves_no_process_behind(tmp_path: Path) -> None:
    """kill -9 of the parent ends the broker, the database and a command that ignores SIGTERM."""
    parent, family = start_parent(tmp_path)
    assert len(family) >= 5
    parent.kill()
    parent.wait()
    assert gone(family)


@pytest.mark.slow
def test_next_start_ends_what_parent_and_watchman_left(tmp_path: Path) -> None:
    """With the watchman killed too, the pid files of the state folder lead to the leftovers."""
    parent, family = start_parent(tmp_path)
    watchmen = [child for child in psutil.Process(parent.pid).children() if "watch()" in " ".join(child.cmdline())]
    assert len(watchmen) == 1
    watchmen[0].kill()
    parent.kill()
    parent.wait()
    assert all(psutil.pid_exists(pid) for pid in family)
    assert sorted(stop_leftovers(tmp_path)) == ["kafka", "postgres", "stubborn"]
    assert gone(family)
    assert stop_leftovers(tmp_path) == []


def test_foreign_process_with_a_reused_pid_is_left_alone(tmp_path: Path) -> None:
    """A pid file whose start time does not match belongs to the past; the process there now is not ours."""
    stranger = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    try:
        note = {"pid": stranger.pid, "started": time.time() - 3600, "signal": int(signal.SIGTERM), "program": "sleep"}
        (tmp_path / "pids").mkdir()
        (tmp_path / "pids" / "kafka.json").write_text(json.dumps(note))
        assert stop_leftovers(tmp_path) == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_command_that_fails_at_its_start_names_its_log(tmp_path: Path) -> None:
    """A part that ends at once is reported with its exit code and its log, within the moment."""
    part = Running("broken", ["bash", "-c", "echo why; exit 3"], state=tmp_path)
    with pytest.raises(OperatorError) as caught, part:
        part.wait_until(lambda: False, 60)
    assert "exit code 3" in caught.value.cause
    assert str(part.log) in caught.value.fix
    assert part.log.read_text() == "why\n"


def test_session_ends_with_its_grandchildren(tmp_path: Path) -> None:
    """Children that made sessions of their own, as Airflow's workers may, end with their ancestor."""
    part = Running("family", ["bash", "-c", "setsid sleep 1000 & sleep 1000 & wait"], state=tmp_path).start()
    part.wait_until(lambda: len(psutil.Process(part.pid).children()) == 2, 60)
    family = [part.pid, *(child.pid for child in psutil.Process(part.pid).children(recursive=True))]
    end_session(part.pid)
    assert gone(family)
    part.close()
    assert free_port() > 0
    assert os.getpid() not in family
