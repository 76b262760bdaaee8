"""`mainstem run --workers`: processes that map slices side by side give what one gives, and outlive the kill of any of them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import func, select
from waiting import wait_until

from mainstem import refresh as steps
from mainstem.demo.embedded import Postgres
from mainstem.refresh import Refresh, map_types
from mainstem.refresh.run import ONE_WRITER
from mainstem.refresh.slices import map_divided, map_undivided
from mainstem.refresh.workers import Workers
from mainstem.state import tables
from schemas.errors import TemporaryError

LINES = 14_000
"""Of two versions each seventh: several blocks of a slice, so that one is killed in the middle."""
TYPES = ["Patient", "Observation"]


ALONE = """
import json, multiprocessing, sys
from dataclasses import replace
from pathlib import Path
from mainstem import refresh as steps
from mainstem.config.settings import Settings
from mainstem.refresh import map as mapping, map_types, open_refresh
from mainstem.refresh.workers import Workers

class Beside:
    def notice(self, changes, /): pass

def progress(step, unit, count, of=None, /):
    if step == "map":
        print("at work", *(each.pid for each in multiprocessing.active_children()), flush=True)

if __name__ == "__main__":
    mapping.SPLIT_FROM = 5_000
    types = ["Patient", "Observation"]
    with open_refresh(Path(sys.argv[1]), Settings(**json.loads(sys.argv[2]))) as opened:
        refresh = replace(opened, progress=progress)
        load = steps.plan(refresh).load
        steps.pull_units(refresh, load, steps.planned(refresh, load).units)
        with Workers(refresh, load, 2, Beside()) as helpers:
            map_types(refresh, load, types, beside=Beside(), helpers=helpers)
"""
"""A run of two processes, that says their ids with each sign of life of them."""


class Counting:
    """Hears of changes that wait."""

    def __init__(self) -> None:
        self.changes = 0

    def notice(self, changes: int, /) -> None:
        self.changes += changes


def weight(number: int, version: int) -> dict[str, Any]:
    """A reading, in one of its versions; some are of the same time, where the one that comes last counts."""
    return {
        "resourceType": "Observation",
        "id": f"w-{number}",
        "meta": {"lastUpdated": f"2026-03-01T00:00:0{version * (number % 2)}Z"},
        "status": "final",
        "code": {
            "coding": [{"system": "http://loinc.org", "code": "29463-7", "display": "Body weight, measured " * 20}]
        },
        "subject": {"reference": f"Patient/kid-{number % 30}"},
        "effectiveDateTime": f"2025-0{1 + number % 9}-1{number % 10}T08:{number % 60:02d}:00Z",
        "valueQuantity": {"value": 20 + version, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
    }


def deliver(folder: Path, count: int = LINES) -> None:
    """Readings, later versions in a second file; some lines are none."""
    kids = [{"resourceType": "Patient", "id": f"kid-{number}", "birthDate": "2015-03-01"} for number in range(30)]
    (folder / "Patient.ndjson").write_text("".join(json.dumps(kid) + "\n" for kid in kids))
    for version, step in ((0, 1), (1, 7)):
        lines = [json.dumps(weight(number, version)) for number in range(0, count, step)]
        lines[5:5] = ['{"resourceType":"Observation",']
        (folder / f"Observation.{version}.ndjson").write_text("\n".join(lines) + "\n")


@pytest.fixture
def site(
    make_refresh: Callable[..., Refresh], postgres_server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Refresh]:
    """`site(name, count=…)`: the same delivery with a PostgreSQL of its own."""
    monkeypatch.setattr("mainstem.refresh.map.SPLIT_FROM", 5_000)

    def made(name: str, count: int = LINES) -> Refresh:
        url = postgres_server.create_database(f"w_{name}_{os.getpid()}_{abs(hash(tmp_path)) % 10**8}")
        refresh = make_refresh(types=TYPES, folder=name, url=url)
        deliver(tmp_path / name / "delivery", count)
        return refresh

    return made


def living(pid: int) -> bool:
    """A process is at work; one that ended and was not asked how is not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def pulled(refresh: Refresh) -> str:
    """A load whose resources are landed."""
    load = steps.plan(refresh).load
    steps.pull_units(refresh, load, steps.planned(refresh, load).units)
    return load


def outcome(refresh: Refresh, load: str) -> tuple[list[Any], dict[str, Any]]:
    """What is held and would be told of each record, and the figures."""
    row = tables.record.c
    wanted = select(row.id, row.subject, row.content, row.provenance, row.updated).order_by(row.id)
    with refresh.store.database.read() as connection:
        found = [tuple(each) for each in connection.execute(wanted)]
    counted = {
        name: (
            counts.read,
            counts.mapped,
            counts.skipped,
            counts.records,
            counts.recorded + counts.amended + counts.unchanged + counts.stale,
        )
        for name, counts in refresh.store.loads.figures(load).items()
    }
    return found, counted


def mapped(refresh: Refresh, workers: int, *, kill: int = 0) -> tuple[str, Counting]:
    """A load mapped by so many processes, of which so many are killed at their first sign of life."""
    load, beside, killed = pulled(refresh), Counting(), list[int]()

    def progress(step: str, _unit: str, _count: int, _of: int | None = None, /) -> None:
        living = [each.process.pid for each in helpers.working if each.process.pid not in killed and each.lines]
        if step == "map" and len(killed) < kill and living and living[0] is not None:
            killed.append(living[0])
            os.kill(living[0], signal.SIGKILL)

    watched = replace(refresh, progress=progress)
    with Workers(watched, load, workers, beside) as helpers:
        map_types(watched, load, TYPES, beside=beside, helpers=helpers if workers > 1 else None)
    assert len(killed) == kill
    return load, beside


@pytest.mark.slow
def test_several_processes_give_what_one_gives(site: Callable[..., Refresh]) -> None:
    """The same records and figures by one, two and four; each change that was saved was told to whoever publishes beside."""
    alone = site("one")
    load, _ = mapped(alone, 1)
    expected = outcome(alone, load)
    assert len(expected[0]) == LINES + 30
    for workers in (2, 4):
        refresh = site(f"by{workers}")
        load, beside = mapped(refresh, workers)
        assert refresh.store.loads.unfinished(load) == set()
        assert len(refresh.store.slices.of(load)["Observation"]) == workers
        assert outcome(refresh, load) == expected
        assert beside.changes == sum(
            counts.recorded + counts.amended + counts.withdrawn for counts in refresh.store.loads.figures(load).values()
        )


@pytest.mark.slow
def test_a_worker_that_is_killed_takes_nothing_along(site: Callable[..., Refresh]) -> None:
    """kill -9 in the middle of a slice: another process goes on with it in the same run; nothing is read or told twice."""
    refresh = site("killed")
    load, _ = mapped(refresh, 2, kill=1)
    found, counted = outcome(refresh, load)
    assert refresh.store.loads.unfinished(load) == set()
    assert len(found) == LINES + 30
    again = LINES // 7
    assert counted["Observation"][0] == LINES + again + 2
    assert counted["Observation"][2] == {"invalid-json": 2}
    row = tables.record.c
    with refresh.store.database.read() as connection:
        twice = connection.execute(select(func.count()).where(row.sequence > 2)).scalar_one()
    assert twice == 0


@pytest.mark.slow
def test_what_kills_every_worker_ends_the_run_and_the_next_heals_it(site: Callable[..., Refresh]) -> None:
    """A machine without memory: the run ends with what to do, and one process maps what is left."""
    refresh = site("dying")
    with pytest.raises(TemporaryError, match="a process that mapped Observation was killed") as ended:
        mapped(refresh, 2, kill=9)
    assert "fewer --workers" in ended.value.fix
    load = refresh.store.loads.open("west")
    assert load is not None
    assert "Observation" in refresh.store.loads.unfinished(load.id)

    map_types(refresh, load.id, TYPES)

    assert refresh.store.loads.unfinished(load.id) == set()
    found, counted = outcome(refresh, load.id)
    assert len(found) == LINES + 30
    assert counted["Observation"][0] == LINES + LINES // 7 + 2


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_where_the_process_that_started_them_is_killed_they_end_and_the_next_run_goes_on(
    site: Callable[..., Refresh], tmp_path: Path
) -> None:
    """kill -9 of `mainstem run` while others map for it: none of them is left, and nothing is lost or told twice."""
    alone, refresh = site("single"), site("parent")
    load, _ = mapped(alone, 1)
    expected = outcome(alone, load)

    program = tmp_path / "run.py"
    program.write_text(ALONE)
    command = [sys.executable, str(program), str(refresh.file.path), refresh.settings.model_dump_json()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children: list[int] = []
        while len(children) < 2:
            said = parent.stdout.readline()
            assert said, "it ended by itself"
            children = [int(each) for each in said.split()[2:]] if said.startswith("at work") else []
        parent.kill()
    wait_until(lambda: not any(map(living, children)))

    found = refresh.store.loads.open("west")
    assert found is not None
    assert "Observation" in refresh.store.loads.unfinished(found.id)
    map_types(refresh, found.id, TYPES)
    assert refresh.store.loads.unfinished(found.id) == set()
    assert outcome(refresh, found.id) == expected


def test_tasks_of_a_dag_divide_a_large_type(site: Callable[..., Refresh]) -> None:
    """Some map whole types, some slices, any of them again; whoever comes last ends the type."""
    alone, refresh = site("alone", 700), site("divided", 700)
    load, _ = mapped(alone, 1)
    expected = outcome(alone, load)

    load = pulled(refresh)
    assert map_undivided(refresh, load, TYPES, 3).read == 30
    assert refresh.store.loads.unfinished(load) == {"Observation"}
    read = [map_divided(refresh, load, part, 3).read for part in (2, 0, 2, 1)]
    assert read[0] + read[1] + read[3] == expected[1]["Observation"][0]
    assert refresh.store.loads.unfinished(load) == set()
    assert outcome(refresh, load) == expected


def test_sqlite_is_mapped_by_one_process_and_says_so(make_refresh: Callable[..., Refresh], tmp_path: Path) -> None:
    """Its one writer would let the others wait."""
    said = list[str]()
    refresh = replace(make_refresh(types=TYPES, workers=4), notice=said.append)
    deliver(tmp_path / "delivery", 20)
    with pytest.raises(TemporaryError, match="Kafka"):
        steps.run(refresh)
    assert ONE_WRITER in said
    load = refresh.store.loads.open("west")
    assert load is not None
    assert refresh.store.slices.of(load.id) == {}
    assert refresh.store.loads.figures(load.id)["Observation"].read == 25
