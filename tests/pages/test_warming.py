"""Measures are counted before anybody asks; while one is counted anew, pages show what was counted before."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest
from fastapi.testclient import TestClient
from services_story import NOW, fill, load_events, population
from sqlalchemy import Engine, update
from viewers import gate_for

from services.measures.library import measures
from services.pages import counted as counting
from services.pages import warming
from services.pages.app import make_app
from services.pages.counted import Memory
from services.registry.database import reading, writing
from services.registry.tables import load

CF2 = measures()["cf2"]


def within(seconds: float, true: Callable[[], bool]) -> bool:
    """Whether it becomes true in that time."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The measures that the registry was asked to count, in order; the library holds one alone."""
    monkeypatch.setattr(warming, "measures", lambda: {"cf2": CF2})
    monkeypatch.setattr(warming, "EVERY_SECONDS", 0.05)
    done: list[str] = []
    evaluate = counting.evaluate

    def noted(*args: object, **options: object) -> object:
        found = evaluate(*args, **options)  # type: ignore[arg-type]
        done.append("strata" if options else "counts")
        return found

    monkeypatch.setattr(counting, "evaluate", noted)
    return done


def test_measures_are_counted_before_anybody_asks_and_again_when_a_load_has_ended(
    small_registry: Engine, tmp_path: Path, asked: list[str]
) -> None:
    fill(small_registry, population(), load_events())
    whole = 1 + len(CF2.strata)
    app = make_app(small_registry, network="Riverbend", clock=lambda: NOW, gate=gate_for(tmp_path), warm=True)
    with TestClient(app) as client:
        assert within(30, lambda: len(asked) == whole)
        assert client.get("/measures/cf2").status_code == 200
        assert len(asked) == whole
        with writing(small_registry) as connection:
            connection.execute(update(load).values(ended=NOW))
        assert within(30, lambda: len(asked) == 2 * whole)


def test_a_page_shows_what_was_counted_before_while_somebody_counts_anew(
    small_registry: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(small_registry, population(), load_events())
    memory, counting_now, go_on = Memory(), Event(), Event()
    with reading(small_registry) as connection:
        before, _ = memory.counted(connection, CF2, NOW)
    evaluate = counting.evaluate

    def slow(*args: object, **options: object) -> object:
        counting_now.set()
        assert go_on.wait(30)
        return evaluate(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(counting, "evaluate", slow)
    with writing(small_registry) as connection:
        connection.execute(update(load).values(ended=NOW))

    def count() -> None:
        with reading(small_registry) as connection:
            memory.counted(connection, CF2, NOW)

    beside = Thread(target=count)
    beside.start()
    assert counting_now.wait(30)
    with reading(small_registry) as connection:
        assert memory.counted(connection, CF2, NOW)[0] is before
        go_on.set()
        beside.join(30)
        assert memory.counted(connection, CF2, NOW)[0] is not before
