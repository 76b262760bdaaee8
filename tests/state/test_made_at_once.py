"""Programs that start in the same moment on one database: each makes the tables it lacks, and none ends another."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, create_engine, inspect, text

from mainstem.consumer.completeness import Completeness
from mainstem.consumer.ledger import Ledger
from services.access.database import AccessDatabase
from services.measures.keeping.keeper import Keeper
from services.measures.keeping.standing import Plan
from services.registry.database import upgrade


def kit(engine: Engine) -> None:
    """A consumer of the kit."""
    Ledger(engine, "registry").create_tables()
    Completeness(engine)


def feedback(engine: Engine) -> None:
    """The feedback service."""
    Keeper(engine, Plan((), ()), lambda: datetime(2026, 3, 2, tzinfo=UTC)).prepare()


def pages(engine: Engine) -> None:
    """The pages."""
    AccessDatabase.open(engine.url.render_as_string(hide_password=False)).close()


@pytest.mark.parametrize("program", [kit, feedback, pages])
def test_tables_are_made_once_by_whoever_comes_first(postgres_url: str, program: Callable[[Engine], None]) -> None:
    """Four at once, five times over."""
    engines = [create_engine(postgres_url) for _ in range(4)]
    if program is feedback:  # in the registry's database
        with engines[0].begin() as connection:
            upgrade(connection)
    before = set(inspect(engines[0]).get_table_names())
    for _ in range(5):
        together = threading.Barrier(len(engines))

        def start(engine: Engine, together: threading.Barrier = together) -> None:
            with engine.connect():
                together.wait()
            program(engine)

        with ThreadPoolExecutor(len(engines)) as threads:
            list(threads.map(start, engines))
        made = set(inspect(engines[0]).get_table_names()) - before
        assert made
        with engines[0].begin() as connection:
            connection.execute(text(f"DROP TABLE {', '.join(made)}"))
    for engine in engines:
        engine.dispose()
