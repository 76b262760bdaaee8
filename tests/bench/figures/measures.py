"""Measures: a full evaluation by person and measure, from a registry; a count over a network of a million persons, kept and anew."""

import resource
import time
from collections.abc import Iterator

from bench import Bench
from figure import Figure
from million import fill_by_number, stand_by_number
from sqlalchemy import Engine

from services.measures.compile.from_registry import persons_of
from services.measures.evaluate.counts import evaluate
from services.measures.evaluate.periods import periods
from services.measures.evaluate.persons import Standings
from services.measures.keeping.counted import kept_counts
from services.measures.keeping.keeper import Keeper
from services.measures.keeping.plans import network_plan
from services.measures.library import measures
from services.registry.database import open_registry

MANY, LESS, SOME = 1_000_000, 100_000, 5_000
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
        bench.say(f"{LESS:,} persons, and where {MANY:,} stand, into {name}")
        with engine.begin() as connection:
            fill_by_number(connection, LESS)
        yield _anew(engine, name)
        yield from _kept(engine, name)
        yield from _evaluation(engine, name)
    finally:
        engine.dispose()


def _anew(engine: Engine, name: str) -> Figure:
    """By SQL over the records, where nothing is kept."""
    cf2 = measures()["cf2"]
    started = time.perf_counter()
    with engine.connect() as connection:
        (network, *_sites) = evaluate(connection, cf2, YEAR)
    took = time.perf_counter() - started
    note = f"{network.measured:,} measured of {LESS:,} persons; peak {_peak():,} MB"
    return Figure(f"count over the records, {name}", took, "s", note=note, lower_is_better=True)


def _kept(engine: Engine, name: str) -> Iterator[Figure]:
    """From where a million persons stand: every site counted anew; then the network's count, as it is asked for."""
    cf2 = measures()["cf2"]
    keeper = Keeper(engine, network_plan([cf2], YEAR))
    keeper.prepare()
    with engine.begin() as connection:
        stand_by_number(connection, cf2.id, cf2.version, MANY)
    started = time.perf_counter()
    keeper.work_off()
    counted = time.perf_counter() - started
    with engine.connect() as connection:
        (network, *_sites) = kept_counts(connection, cf2, YEAR) or ()
    took = time.perf_counter() - started - counted
    note = f"{network.measured:,} measured of {MANY:,} persons; peak {_peak():,} MB"
    what = {
        f"network count, every site's persons summed, {name}": counted + took,
        f"network count, asked again, {name}": took,
    }
    for title, seconds in what.items():
        yield Figure(title, seconds, "s", asked=ASKED_COUNT, note=note, lower_is_better=True)


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
