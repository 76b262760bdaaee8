"""What an Airflow of sixty hospitals holds in memory on one machine: at rest, all DAGs read, and while nights of some run.

Scheduler with LocalExecutor and its tasks, DAG processor, API server, and a triggerer, which nothing of ours needs; no database, no broker.
"""

import os
import time
from collections.abc import Iterator

from airflow_at_large import AtLarge, local_airflow
from bench import Bench
from figure import Figure

SITES, NIGHTS = int(os.environ.get("MAINSTEM_BENCH_SITES", "60")), 4
LINES, REST_SECONDS = 2_000, 30.0


def figures(bench: Bench) -> Iterator[Figure]:
    """By PSS: a page that several share is counted once, in shares."""
    lhn = bench.network("airflow_memory")
    names = [bench.hospital(lhn, number, LINES).stem for number in range(SITES)]
    database = bench.postgres.create_database("airflow_memory_metadata")
    with local_airflow(lhn, lhn.folder / "airflow", database, names) as airflow:
        airflow.begin("triggerer", "triggerer", "--skip-serve-logs")
        bench.say(f"{SITES} sites at rest")
        time.sleep(REST_SECONDS)
        rest = airflow.mebibytes()
        bench.say(f"nights of {NIGHTS} sites")
        most = _most(airflow, names[:NIGHTS])
    for what, held in ((f"Airflow of {SITES} sites at rest", rest), (f"the same in the nights of {NIGHTS}", most)):
        note = ", ".join(f"{part} {mebibytes:.0f}" for part, mebibytes in held.items())
        yield Figure(what, sum(held.values()), "MiB", asked="≤ 4,096 MiB", note=note, lower_is_better=True)


def _most(airflow: AtLarge, sites: list[str]) -> dict[str, float]:
    """What each part held when all together held most."""
    seen: list[dict[str, float]] = []
    ended = airflow.night(sites, seconds=3600, beside=lambda _done: seen.append(airflow.mebibytes()))
    if failed := airflow.notes_of_failed(ended):
        raise SystemExit(f"not every night was whole: {failed}")
    return max(seen, key=lambda held: sum(held.values()))
