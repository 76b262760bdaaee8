"""A night of twenty hospitals by a real Airflow, set up as our image has it, beside the same night by `mainstem run`: so many readers at once.

Each reads what changed since the night before by search, from an EHR that takes its time. Of Airflow all is counted: scheduler, DAG processor,
API server, tasks; neither database nor broker, as little as of the command.
"""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import content
import ehr_server
from airflow_at_large import AtLarge, local_airflow, shipped
from bench import Bench
from figure import Figure
from measuring import Ran
from network_under_test import Network

from mainstem.demo.airflow import FINISHED

SITES = int(os.environ.get("MAINSTEM_BENCH_SITES", "20"))
LINES = int(os.environ.get("MAINSTEM_BENCH_LINES", "20000"))
"""Changed since the night before, of each site."""
BEFORE = 200
MICROSECONDS = 7_500
"""Of an EHR, a resource: 8,000 a minute, the fastest that is published of a hospital's; others say 1,500 to 2,500."""
AT_ONCE = int(shipped()["AIRFLOW__CORE__PARALLELISM"])
"""Commands, as many as Airflow by our image does tasks. A site's night is mostly the one reader of its largest type: so many readers by both."""
IDLE_SECONDS, NOTHINGS, SHARE = 60.0, 8, 0.15
ASKED_SECONDS = 5
"""How often it is asked whether a run has ended: as a night is."""
NOTHING = f'''"""Airflow DAG whose tasks do nothing."""
from airflow.sdk import DAG, chain, task
with DAG(dag_id="nothing", schedule=None):
    chain(*[task(task_id=f"t{{number}}")(lambda: 1)() for number in range({NOTHINGS})])
'''


@dataclass
class Night:
    """What one took."""

    seconds: float
    cpu: float


def figures(bench: Bench) -> Iterator[Figure]:
    """Of this checkout alone. Airflow's work while nothing runs is taken off where a task is spoken of, and left in the night's."""
    ehr = bench.folder / "airflow_night_ehr"
    ehr.mkdir()
    _changed(bench, ehr, 0, BEFORE, datetime.now(UTC) - timedelta(days=2))
    with ehr_server.serving("changes", ehr, MICROSECONDS) as address:
        networks = [bench.network(name) for name in ("night_by_command", "night_by_airflow")]
        alone, other = ([_hospital(lhn, number, address) for number in range(SITES)] for lhn in networks)
        bench.say(f"first loads of {SITES} sites, twice")
        first = _by_command(bench, networks[0], alone)
        _by_command(bench, networks[1], other)
        _changed(bench, ehr, 1, LINES, datetime.now(UTC))
        time.sleep(2)  # EHRs tell the time by seconds
        bench.say("a night by the command")
        command = _by_command(bench, networks[0], alone)
        database = bench.postgres.create_database("night_by_airflow_metadata")
        sites = [path.stem for path in other]
        state, more = networks[1].folder / "airflow", {"nothing.py": NOTHING}
        with local_airflow(networks[1], state, database, sites, more, shipped()) as airflow:
            bench.say("tasks that do nothing")
            idle, task = _a_task(airflow)
            bench.say("a night by Airflow")
            tasks, night, memory = _by_airflow(airflow, sites)
    rest = f"at rest {idle:.3f} of a core"
    yield Figure("Airflow, a task that does nothing", task, "s of a core", note=rest, lower_is_better=True)
    ours = night.cpu - command.cpu - idle * night.seconds
    note = (
        f"beyond the command's {command.cpu / SITES:.1f} s a site of {LINES:,} lines; {tasks / SITES:.0f} tasks a site"
    )
    yield Figure("Airflow, a task of ours", ours / tasks, "s of a core", note=note, lower_is_better=True)
    yield from _beyond(command, night, memory)
    yield _enough(command, first, night, ours, idle)


def _beyond(command: Night, night: Night, memory: float) -> Iterator[Figure]:
    """By the clock and by processor time."""
    said = f"{night.seconds:.0f} s for {command.seconds:.0f} s; {memory:.0f} MiB at most"
    spent = f"{night.cpu:.0f} s for {command.cpu:.0f} s"
    for how, now, then, note in (
        ("the clock", night.seconds, command.seconds, said),
        ("processor time", night.cpu, command.cpu, spent),
    ):
        what = f"{SITES} sites by Airflow, beyond the command, by {how}"
        yield Figure(what, 100 * (now / then - 1), "%", asked="≤ 15 %", note=note, lower_is_better=True)


def _enough(command: Night, first: Night, night: Night, ours: float, idle: float) -> Figure:
    """Lines a site from which on Airflow takes 15 % of the command's processor time: both grow with lines, Airflow's with the hours that it stands."""
    line = max(0.0, (command.cpu - first.cpu) / (LINES - BEFORE) / SITES)
    fixed = command.cpu / SITES - line * LINES
    standing = idle * night.seconds / LINES / SITES
    gained = SHARE * line - standing
    lines = (ours / SITES - SHARE * fixed) / gained if gained > 0 else float("inf")
    note = f"a line {line * 1e6:.0f} µs of a core, {standing * 1e6:.0f} while Airflow stands for it; a run {fixed:.1f} s, its tasks {ours / SITES:.1f}"
    return Figure("lines a site's night, from which Airflow adds 15 %", lines, "lines", note=note, lower_is_better=True)


def _hospital(lhn: Network, number: int, address: str) -> Path:
    """A site with a key of its own; all else as it is where a site file says nothing."""
    key = lhn.folder / f"s{number:02}.key"
    key.write_text(f"{number:064x}")
    key.chmod(0o600)
    return lhn.site(f"s{number:02}", f'[fhir]\nbase_url = "{address}"\n', road="search", subject_key=f"file:{key.name}")


def _changed(bench: Bench, ehr: Path, night: int, lines: int, at: datetime) -> None:
    """What changed by then at every hospital, under ids of its own."""
    folder = ehr.with_name(f"{ehr.name}_{night}")
    content.deliver(bench.children, folder, lines, content.varied, first=1 + 5_000 * night)
    folder.rename(ehr / f"{at:%Y-%m-%dT%H:%M:%SZ}")


def _by_command(bench: Bench, lhn: Network, paths: list[Path]) -> Night:
    env = {name: value for name, value in lhn.environment.items() if name.startswith("MAINSTEM_")}

    def run(path: Path) -> Ran:
        return bench.checkouts[0].mainstem("run", path, **env)

    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        cpu = sum(ran.cpu for ran in pool.map(run, paths))
    return Night(time.monotonic() - began, cpu)


def _a_task(airflow: AtLarge) -> tuple[float, float]:
    """Processor time a second at rest, and of a task that does nothing beyond it."""
    airflow.wait_for_stubs({"nothing"})
    before = airflow.cpu()
    time.sleep(IDLE_SECONDS)
    idle = (airflow.cpu() - before) / IDLE_SECONDS
    before, began = airflow.cpu(), time.monotonic()
    airflow.trigger("nothing")
    while airflow.newest()[0]["state"] not in FINISHED:
        time.sleep(ASKED_SECONDS)
    return idle, (airflow.cpu() - before - idle * (time.monotonic() - began)) / NOTHINGS


def _by_airflow(airflow: AtLarge, sites: list[str]) -> tuple[int, Night, float]:
    """How many tasks, what the night took, and the most memory in MiB."""
    held: list[float] = []
    before, began = airflow.cpu(), time.monotonic()
    ended = airflow.night(sites, seconds=3600, beside=lambda _done: held.append(sum(airflow.mebibytes().values())))
    night = Night(time.monotonic() - began, airflow.cpu() - before)
    if failed := airflow.notes_of_failed(ended):
        raise SystemExit(f"not every night was whole: {failed}")
    return sum(airflow.tasks_of(site) for site in sites), night, max(held)
