"""Measures: a full evaluation by person and measure, in memory and over a registry; one count over a network of a million persons."""

import resource
import time
from collections.abc import Iterator

from bench import Bench
from figure import Figure
from million import fill_by_number
from sqlalchemy import Engine

from services.measures.compile.from_registry import persons_of
from services.measures.evaluate.counts import evaluate
from services.measures.evaluate.periods import periods
from services.measures.evaluate.persons import Standings
from services.measures.library import measures
from services.registry.database import open_registry

MANY, SOME = 1_000_000, 5_000
YEAR = periods("year", "2026-01", "2026-12-31")
ASKED_COUNT, ASKED_PERSON = "≤ 5 s", "≤ 1 ms"


def figures(bench: Bench) -> Iterator[Figure]:
    """Of this checkout alone."""
    urls = {
        "PostgreSQL": bench.postgres.create_database("million"),
        "SQLite": f"sqlite:///{bench.folder / 'million.db'}",
    }
    for name, url in urls.items():
        yield from _of(bench, name, url)


def _of(bench: Bench, name: str, url: str) -> Iterator[Figure]:
    engine = open_registry(url)
    try:
        bench.say(f"{MANY:,} persons into {name}")
        with engine.begin() as connection:
            fill_by_number(connection, MANY)
        yield _count(engine, name)
        yield from _evaluation(engine, name)
    finally:
        engine.dispose()


def _count(engine: Engine, name: str) -> Figure:
    cf2 = measures()["cf2"]
    best = None
    for _ in range(3):
        started = time.perf_counter()
        with engine.connect() as connection:
            (network, *_sites) = evaluate(connection, cf2, YEAR)
        took = time.perf_counter() - started
        best = took if best is None else min(best, took)
    note = f"{network.measured:,} measured of {MANY:,}; peak {_peak():,} MB"
    return Figure(f"network count, {name}", best or 0.0, "s", asked=ASKED_COUNT, note=note, lower_is_better=True)


def _evaluation(engine: Engine, name: str) -> Iterator[Figure]:
    """A full evaluation of some persons in memory: read, every measure of the library, a year."""
    wanted = [f"s-{number:032d}" for number in range(1, SOME + 1)]
    compiled, started = Standings(measures().values(), YEAR), time.process_time()
    with engine.connect() as connection:
        found = sum(1 for person in persons_of(connection, wanted) for _ in compiled.of(person))
    each = (time.process_time() - started) * 1000 / SOME / len(measures())
    note = f"{found:,} standings of {SOME:,} persons; peak {_peak():,} MB"
    yield Figure(
        f"full evaluation from {name}",
        each,
        "ms a person and measure",
        asked=ASKED_PERSON,
        note=note,
        lower_is_better=True,
    )


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
