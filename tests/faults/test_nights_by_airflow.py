"""Nights by Airflow as a network runs it: on one machine, by Celery on a real broker, by a worker in a hospital; a scheduler and a worker killed.

Redis from the distribution's packages (`make redis`); skipped with the reason where it cannot be had.
"""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from airflow_at_large import AtLarge, at_night, celery_airflow, local_airflow, require_redis
from checker import effects_of, judge
from hospitals_at_night import Hospitals, hospitals
from network_under_test import Network
from streams import Stream

from mainstem.demo.embedded import Postgres
from mainstem.state import State

pytestmark = [pytest.mark.large, pytest.mark.airflow, pytest.mark.timeout(4 * 3600)]
TWENTY = int(os.environ.get("MAINSTEM_CELERY_SITES", "20"))
SIXTY = int(os.environ.get("MAINSTEM_NIGHT_SITES", "60"))
HOURS = 3600.0
MEBIBYTES = 4096
"""Of Airflow with sixty sites."""
OUTSIDE = "h01"
"""The hospital with a worker of its own: its key is known to that one alone."""


@pytest.fixture
def state_url(postgres_server: Postgres, network: str) -> Iterator[str]:
    """On PostgreSQL, as a network's state is."""
    name = f"a_{abs(hash(network)):x}"
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)


@pytest.fixture
def metadata_url(postgres_server: Postgres, network: str) -> str:
    """Airflow's own."""
    return postgres_server.create_database(f"m_{abs(hash(network)):x}")


def wrong(lhn: Network, engine: Any, latest: Any) -> list[str]:
    """What the judge of the faults finds, after a consumer has read all."""
    stream = Stream(lhn.settings.kafka, lhn.settings.network)
    with stream.consumer(engine, latest) as consumer:
        consumer.run_until_caught_up(timeout=600)
    state = State.open(lhn.settings.database_url)
    try:
        return judge(state, stream.records(), effects_of(engine), latest.state())
    finally:
        state.close()


def send_outside(found: Hospitals) -> str:
    """Gives a hospital's tasks to its own worker, and takes its key away from all others. Returns the key."""
    path = found.path(OUTSIDE)
    was = f'subject_key = "file:{OUTSIDE}.key"'
    text = path.read_text().replace("'", '"')
    assert was in text
    path.write_text(text.replace(was, 'subject_key = "env:HOSPITALS_OWN"\nqueue = "h01"\nexecutor = "EdgeExecutor"'))
    return (found.lhn.folder / f"{OUTSIDE}.key").read_text()


def test_twenty_sites_by_two_celery_workers_and_one_by_the_worker_in_its_hospital(
    make_network: Any,
    broker: str,
    state_url: str,
    metadata_url: str,
    sqlite_engine: Any,
    latest_of: Any,
    parts_folder: Path,
) -> None:
    """All are whole, both workers had a share, and the hospital's tasks ran where its key is. Says what Airflow costs beside the command."""
    require_redis()
    with hospitals(make_network(broker, store=state_url), TWENTY + 1) as found:
        found.mend()
        key, sites = send_outside(found), list(found.served)
        with celery_airflow(found.lhn, parts_folder / "celery", metadata_url, sites, 2) as airflow:
            airflow.edge("h01", HOSPITALS_OWN=key)
            measured = Measured(airflow)
            ended = airflow.night(sites, seconds=3 * HOURS, beside=measured)
            print(f"{len(sites)} sites by Airflow: {measured}")
            assert airflow.notes_of_failed(ended) == {}
            hosts = {site: airflow.hosts_of(site) for site in sites}
        print(f"{len(sites)} sites by `mainstem run`, two at once: {by_command(found, HOSPITALS_OWN=key)}")
        apart = hosts.pop(OUTSIDE)
        assert apart == {"h01"}
        assert {host for each in hosts.values() for host in each} == {"w1", "w2"}
        latest = latest_of(sqlite_engine)
        assert wrong(found.lhn, sqlite_engine, latest) == []
        assert len(latest.state()) == found.expected()


@pytest.mark.parametrize("executor", ["local", "celery"])
def test_sixty_hospitals_for_two_nights_with_a_scheduler_and_a_worker_killed(
    executor: str,
    make_network: Any,
    broker: str,
    state_url: str,
    metadata_url: str,
    sqlite_engine: Any,
    latest_of: Any,
    parts_folder: Path,
) -> None:
    """The first night's sick say why and hold up nobody; in the second, all well, the scheduler and a worker are killed: nothing is lost.

    By one machine's Airflow as our image has it, whose scheduler is killed twice since its tasks are its own; and by Celery.
    """
    with hospitals(make_network(broker, store=state_url), SIXTY) as found:
        sites, latest = list(found.served), latest_of(sqlite_engine)
        with airflow_of(executor, found.lhn, parts_folder / f"sixty-{executor}", metadata_url, sites) as airflow:
            measured = Measured(airflow)
            ended = airflow.night(sites, seconds=4 * HOURS, beside=measured)
            print(f"{len(sites)} sites by {executor}, some sick: {measured}")
            assert {site: ended[site] for site in found.healthy if ended[site] != "success"} == {}
            for site, how in found.sick.items():
                if how in ("down", "rejecting"):
                    assert "Who: " in airflow.note_of(site), (site, how)
            assert wrong(found.lhn, sqlite_engine, latest) == []
            assert measured.most < MEBIBYTES

            found.day(1)
            found.mend()
            kills = ("scheduler", "scheduler" if executor == "local" else "w1")
            measured, killer = Measured(airflow), Killer(airflow, len(sites), kills)

            def beside(done: int) -> None:
                measured(done)
                killer(done)

            ended = airflow.night(sites, seconds=4 * HOURS, beside=beside)
            print(f"{len(sites)} sites by {executor}, {' and '.join(killer.killed)} killed: {measured}")
            assert tuple(killer.killed) == kills
            assert airflow.notes_of_failed(ended) == {}
        assert wrong(found.lhn, sqlite_engine, latest) == []
        assert len(latest.state()) == found.expected()


def airflow_of(executor: str, lhn: Network, state: Path, database: str, sites: list[str]) -> Any:
    """An Airflow by the executor's name. Skips where what it needs is not to be had."""
    if executor == "celery":
        require_redis()
        return celery_airflow(lhn, state, database, sites, 2)
    return local_airflow(lhn, state, database, sites, settings=at_night())


class Measured:
    """What a night by Airflow costs, looked at while it lasts: its own parts and the tasks in them; neither brokers nor databases."""

    def __init__(self, airflow: AtLarge) -> None:
        self.most, self._done = 0.0, 0
        self._airflow, self._began, self._before = airflow, time.monotonic(), airflow.cpu()

    def __call__(self, done: int) -> None:
        self.most = max(self.most, sum(self._airflow.mebibytes().values()))
        if done > self._done:
            print(f"{done} ended: {self}", flush=True)
        self._done = done

    def __str__(self) -> str:
        cpu, took = self._airflow.cpu() - self._before, time.monotonic() - self._began
        return f"{cpu:.0f} s of processor time, {took:.0f} s by the clock, {self.most:.0f} MiB at most"


def by_command(found: Hospitals, **environment: str) -> str:
    """The next night of all sites as cron would have it: a process a site, as many at once as there are cores. What it costs."""
    found.day(1)
    began, before = time.monotonic(), os.times()
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda name: found.lhn.mainstem("run", found.path(name), **environment), found.served))
    assert [each.stderr for each in done if each.returncode] == []
    spent = os.times()
    cpu = spent.children_user + spent.children_system - before.children_user - before.children_system
    return f"{cpu:.0f} s of processor time, {time.monotonic() - began:.0f} s by the clock"


class Killer:
    """Kills a part when an eighth of the night is done, the next when a half is, and starts each again some seconds later."""

    def __init__(self, airflow: AtLarge, sites: int, names: tuple[str, ...]) -> None:
        self.killed: list[str] = []
        self._airflow, self._left = airflow, [(name, sites / share) for name, share in zip(names, (8, 2), strict=True)]

    def __call__(self, done: int) -> None:
        while self._left and done >= self._left[0][1]:
            name, _ = self._left.pop(0)
            self._airflow.kill(name)
            self.killed.append(name)
            time.sleep(5)
            if name == "scheduler":
                self._airflow.schedule()
            else:
                self._airflow.celery(name)
