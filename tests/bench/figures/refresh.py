"""One site of 5,000 children with four diseases: where each stands in every measure of the library in each of thirteen months, made anew
and kept."""

import time
from collections.abc import Iterator

from bench import Bench
from copied_patients import fill_mixed
from figure import Figure
from sqlalchemy import Engine, func, select

from services.measures.evaluate.periods import periods
from services.measures.keeping.keeper import Keeper
from services.measures.keeping.plans import network_plan
from services.measures.keeping.tables import standing
from services.measures.library import measures
from services.registry.database import open_registry

PATIENTS = 5_000
MONTHS = periods("month", "2025-11", "2026-11-30")


def figures(bench: Bench) -> Iterator[Figure]:
    """Of this checkout alone."""
    urls = {
        "PostgreSQL": bench.postgres.create_database("one_site"),
        "SQLite": f"sqlite:///{bench.folder / 'one_site.db'}",
    }
    for name, url in urls.items():
        bench.say(f"a site of {PATIENTS:,} patients in {name}")
        yield _of(name, url)


def _of(name: str, url: str) -> Figure:
    engine = open_registry(url)
    try:
        patients = fill_mixed(engine, PATIENTS)
        keeper = Keeper(engine, network_plan(measures().values(), MONTHS))
        keeper.prepare()
        clock, cpu = time.perf_counter(), time.process_time()
        keeper.work_off()
        took, busy = time.perf_counter() - clock, time.process_time() - cpu
        standings, somebody_in = _standings(engine)
    finally:
        engine.dispose()
    note = (
        f"{len(measures())} measures of {len(MONTHS)} months, {patients:,} patients, "
        f"{standings:,} standings in {somebody_in} measures; {busy:.0f} s of the processor"
    )
    return Figure(f"a site refreshed, {name}", took, "s", asked="≤ 60 s", note=note, lower_is_better=True)


def _standings(engine: Engine) -> tuple[int, int]:
    """How many, and in how many measures."""
    with engine.connect() as connection:
        found = connection.execute(select(func.count(), func.count(standing.c.measure.distinct()))).one()
    return int(found[0]), int(found[1])
