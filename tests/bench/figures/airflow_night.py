"""A night of twenty hospitals by a real Airflow, beside the same night by `mainstem run`, as many at once; and what a task that does nothing takes.

Each delivers its folder again and little of it is new. Of Airflow all is counted: scheduler, DAG processor, API server, tasks.
"""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import content
from airflow_at_large import AtLarge, local_airflow
from bench import Bench
from figure import Figure
from measuring import Ran
from network_under_test import Network

SITES, LINES, AT_ONCE = int(os.environ.get("MAINSTEM_BENCH_SITES", "20")), 20_000, 4
NEW = LINES // 100
IDLE_SECONDS, NOTHINGS = 20.0, 8
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
    lhn = bench.network("airflow_night")
    folder, paths = lhn.folder, [bench.hospital(lhn, number, LINES, parallel=1) for number in range(SITES)]
    bench.say(f"{SITES} first loads")
    _by_command(bench, lhn, paths)
    _deliver_more(bench, folder, 1)
    bench.say("a night by the command")
    alone = _by_command(bench, lhn, paths)
    _deliver_more(bench, folder, 2)
    database = bench.postgres.create_database("airflow_night_metadata")
    sites = [path.stem for path in paths]
    with local_airflow(lhn, folder / "airflow", database, sites, {"nothing.py": NOTHING}) as airflow:
        bench.say("tasks that do nothing")
        idle, task = _a_task(airflow)
        bench.say("a night by Airflow")
        tasks, night = _by_airflow(airflow, sites)
        memory = sum(airflow.mebibytes().values())
    yield Figure("Airflow, a task that does nothing", task, "s of a core", note=f"at rest {idle:.2f} of a core")
    ours = (night.cpu - alone.cpu - idle * night.seconds) / tasks
    yield Figure(
        "Airflow, a task of ours",
        ours,
        "s of a core",
        note=f"beyond the command's {alone.cpu / SITES:.1f} s a site; {tasks} tasks",
    )
    beyond = 100 * (night.seconds / alone.seconds - 1)
    said = f"{night.seconds:.0f} s for {alone.seconds:.0f} s; of a core {night.cpu:.0f} s for {alone.cpu:.0f} s; {memory:.0f} MiB"
    yield Figure(
        f"{SITES} sites by Airflow, beyond the command", beyond, "%", asked="≤ 15 %", note=said, lower_is_better=True
    )


def _deliver_more(bench: Bench, folder: Path, night: int) -> None:
    """Some that are new, before all that was there."""
    for number in range(SITES):
        content.put_first(bench.children, folder / f"in{number}", NEW * night, content.varied)


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
    airflow.settled(1)
    return idle, (airflow.cpu() - before - idle * (time.monotonic() - began)) / NOTHINGS


def _by_airflow(airflow: AtLarge, sites: list[str]) -> tuple[int, Night]:
    """How many tasks, and what the night took."""
    before, began = airflow.cpu(), time.monotonic()
    ended = airflow.night(sites, seconds=3600)
    night = Night(time.monotonic() - began, airflow.cpu() - before)
    if failed := airflow.notes_of_failed(ended):
        raise SystemExit(f"not every night was whole: {failed}")
    return sum(airflow.tasks_of(site) for site in sites), night
