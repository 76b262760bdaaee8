"""Runs of a real Airflow at once and beside the command; tasks cleared and a night read again by its own command line. Judged as the faults are."""

import re
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from airflow_at_large import AtLarge, local_airflow
from checker import effects_of, judge, told_otherwise
from hospitals_at_night import KIDS, READINGS, Hospitals, hospitals
from network_under_test import MAINSTEM
from streams import Stream

from mainstem.state import State

NIGHT = Path(__file__).parents[2] / "docs/how-to/night.md"
SITE = "h01"
DAG = f"ehr_pull__{SITE}"
pytestmark = [pytest.mark.airflow, pytest.mark.large, pytest.mark.timeout(1800)]


@pytest.fixture
def found(make_network: Any, broker: str, postgres_server: Any, network: str) -> Iterator[Hospitals]:
    """One hospital that is well; its state on PostgreSQL."""
    url = postgres_server.create_database(f"s_{abs(hash(network)):x}")
    with hospitals(make_network(broker, store=url), 2) as made:
        made.mend()
        path = made.path(SITE)
        path.write_text(path.read_text().replace("parallel = 2", "parallel = 1"))
        yield made


@pytest.fixture
def airflow(found: Hospitals, postgres_server: Any, network: str, parts_folder: Path) -> Iterator[AtLarge]:
    """A whole Airflow with the site's DAG."""
    url = postgres_server.create_database(f"m_{abs(hash(network)):x}")
    with local_airflow(found.lhn, parts_folder / "again", url, [SITE]) as made:
        yield made


def read_again(night: datetime) -> list[str]:
    """The command by which the page has everything read again since a night, for that one."""
    (command,) = re.findall(r"`airflow (backfill create [^`]+)`", NIGHT.read_text(encoding="utf-8"))
    first, last = re.findall(r"\d{4}-\d\d-\d\d", command)
    days = datetime.fromisoformat(last) - datetime.fromisoformat(first)
    dated = command.replace(last, f"{night + days:%F}").replace(first, f"{night:%F}")
    return dated.replace("ehr_pull__north", DAG).split()


def cleared(task: str) -> list[str]:
    """The command by which the page has a part of a run done again, for that one."""
    (command,) = re.findall(r"`airflow (tasks clear [^`]+)`", NIGHT.read_text(encoding="utf-8"))
    assert "map_types" in command
    return [*command.replace("ehr_pull__north", DAG).replace("map_types", task).split(), "--yes"]


def test_runs_at_once_tasks_cleared_and_a_night_before_tell_nothing_twice_and_lose_nothing(
    found: Hospitals, airflow: AtLarge, sqlite_engine: Any, latest_of: Any
) -> None:
    stream, latest = Stream(found.lhn.settings.kafka, found.lhn.settings.network), latest_of(sqlite_engine)

    def wrong() -> list[str]:
        with stream.consumer(sqlite_engine, latest) as consumer:
            consumer.run_until_caught_up(timeout=120)
        state = State.open(found.lhn.settings.database_url)
        try:
            records = stream.records()
            return told_otherwise(records) + judge(state, records, effects_of(sqlite_engine), latest.state())
        finally:
            state.close()

    runs = [airflow.trigger(DAG) for _ in range(2)]
    by_hand = subprocess.Popen([MAINSTEM, "run", found.path(SITE)], env=found.lhn.environment, cwd=found.lhn.folder)
    assert by_hand.wait(300) in (0, 75)
    assert [run["state"] for run in airflow.settled(len(runs))] == ["success"] * 2
    assert wrong() == []
    assert len(latest.state()) == KIDS + READINGS

    told = len(stream.records())
    airflow.say(*cleared("map_types"))
    assert [run["state"] for run in airflow.settled(len(runs))] == ["success"] * 2
    again = airflow.tries(DAG)
    assert (again["pull"], again["map_types"], again["complete"]) == (1, 2, 2)
    assert wrong() == []
    assert len(stream.records()) == told

    found.day(1)
    airflow.say(*cleared("plan"))
    assert [run["state"] for run in airflow.settled(len(runs))] == ["success"] * 2
    assert airflow.tries(DAG)["plan"] == 2
    assert wrong() == []
    told = len(stream.records())
    assert told == KIDS + READINGS + 2

    airflow.say(*read_again(datetime(2026, 2, 20)))
    last, *_ = airflow.settled(3)
    assert (last["run_type"], last["state"]) == ("backfill", "success"), last["note"]
    assert f"read {KIDS + READINGS + 1}," in last["note"], last["note"]
    assert wrong() == []
    assert len(stream.records()) == told
