"""Sixty hospitals for several nights, some sick: the healthy are done, none waits for a sick one, the sick say why, nothing is lost.

One judge for all: what the state committed, what the topic has, what a consumer did with it (`support/checker.py`).
"""

import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from checker import effects_of, judge
from hospitals_at_night import FLOOD, KIDS, READINGS, Hospitals, Worker, hospitals, night
from network_under_test import Network
from streams import Stream

from mainstem.state import State

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SITES = int(os.environ.get("MAINSTEM_NIGHT_SITES", "60"))
WORKERS = 3


@pytest.fixture
def network_of_sixty(make_network: Any, broker: str, postgres_server: Any, network: str) -> Iterator[Hospitals]:
    """On PostgreSQL, as a network's state is."""
    url = postgres_server.create_database(f"n_{abs(hash(network)):x}")
    with hospitals(make_network(broker, store=url), SITES) as found:
        yield found


@pytest.fixture
def workers(network_of_sixty: Hospitals) -> Iterator[list[Worker]]:
    """Three, as two cores bear."""
    lhn = network_of_sixty.lhn
    made = [Worker(lhn.environment, lhn.folder) for _ in range(WORKERS)]
    yield made
    for each in made:
        each.close()


def wrong(lhn: Network, engine: Any, latest: Any) -> list[str]:
    """What the judge finds, after a consumer has read all."""
    stream = Stream(lhn.settings.kafka, lhn.settings.network)
    with stream.consumer(engine, latest) as consumer:
        consumer.run_until_caught_up(timeout=120)
    state = State.open(lhn.settings.database_url)
    try:
        return judge(state, stream.records(), effects_of(engine), latest.state())
    finally:
        state.close()


def test_sixty_hospitals_for_three_nights(
    network_of_sixty: Hospitals, workers: list[Worker], sqlite_engine: Any, latest_of: Any
) -> None:
    """First night: the sick as they are. Second: workers are killed. Third: all are well again, a site is refreshed twice at once."""
    found, latest = network_of_sixty, latest_of(sqlite_engine)
    paths = [found.path(name) for name in found.served]
    first = night(workers, paths)
    sick_and_healthy_are_as_they_should(found, first)
    assert wrong(found.lhn, sqlite_engine, latest) == []

    found.day(1)
    done = itertools.count()
    second = night(workers, paths, kill=lambda so_far: next(done) in (5, 19, 33))
    sick_and_healthy_are_as_they_should(found, second)
    assert wrong(found.lhn, sqlite_engine, latest) == []

    found.day(2)
    found.mend()
    twice = next(name for name in found.healthy)
    third = night(workers, [found.path(twice), found.path(twice), *paths])
    assert {name for name, (told, _) in third.items() if told["status"] != "completed"} <= {twice}
    night(workers, paths)
    assert wrong(found.lhn, sqlite_engine, latest) == []
    assert len(latest.state()) == found.expected() == SITES * (KIDS + READINGS + 2) + FLOOD - READINGS


def sick_and_healthy_are_as_they_should(found: Hospitals, told: dict[str, tuple[dict[str, Any], float]]) -> None:
    """Every site has its night; the healthy are whole, and a sick one says why and what to do."""
    assert told.keys() == found.served.keys()
    statuses = {name: each["status"] for name, (each, _) in told.items()}
    assert {name: statuses[name] for name in found.healthy if statuses[name] != "completed"} == {}
    for name, how in found.sick.items():
        said = told[name][0]
        if how == "down":
            assert (said["status"], said["code"]) == ("failed", 75), said
            assert "127.0.0.1:9" in said["cause"]
            assert said["fix"]
        if how == "rejecting":
            assert said["status"] in ("failed", "partial"), said
            assert said.get("code", 78) == 78, said


def disk_of(folder: Path, size: int, *, again: bool = True) -> None:
    """A disk of so many bytes at a folder; `again`: it is there, and grows or shrinks."""
    options = f"{'remount,' if again else ''}size={size}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with room enough. Skips where this user may mount none."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        disk_of(folder, 64 << 20, again=False)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a disk of its own cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize(("full", "left"), [("landing", 8 << 10), ("state", 100 << 10)])
def test_a_disk_that_is_full_in_mid_night_loses_nothing(
    make_network: Any, broker: str, tmp_path: Path, disk: Path, sqlite_engine: Any, latest_of: Any, full: str, left: int
) -> None:
    """Where the landing is, or the state: the small site was done, the one that floods says what to do; once there is room it is whole."""
    where = {name: disk if name == full else tmp_path / name for name in ("landing", "state")}
    lhn: Network = make_network(broker, store=f"sqlite:///{where['state']}/state.db")
    lhn.settings = lhn.settings.model_copy(update={"landing": where["landing"] / "landing"})
    where["state"].mkdir(exist_ok=True)
    with hospitals(lhn, 4) as found:
        found.mend()
        latest = latest_of(sqlite_engine)
        assert lhn.mainstem("run", found.path("h01")).returncode == 0
        disk_of(disk, shutil.disk_usage(disk).used + left)
        failed = lhn.mainstem("run", found.path("h03"))
        assert failed.returncode in (3, 75, 78), (failed.stdout, failed.stderr)
        said = failed.stdout + failed.stderr
        assert re.search("Make room|disk is full", said), said
        disk_of(disk, 64 << 20)
        done = lhn.mainstem("run", found.path("h03"))
        assert done.returncode == 0, done.stderr
        assert wrong(lhn, sqlite_engine, latest) == []
        assert len(latest.state()) == KIDS + FLOOD + KIDS + READINGS
