"""Measures are counted before anybody asks; while one is counted anew, pages show what was counted before."""

import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from threading import Event, Thread

import pytest
from fastapi.testclient import TestClient
from services_story import NOW, fill, load_events, population, visit
from sqlalchemy import Engine, select, update
from viewers import gate_for

from services.measures.declared import Measure
from services.measures.evaluate.aside import put_aside
from services.measures.library import measures
from services.pages import counted as counting
from services.pages import warming
from services.pages.app import make_app
from services.pages.counted import Memory
from services.registry.database import reading, writing
from services.registry.tables import RECORD_TABLES, load

CF2 = measures()["cf2"]
SITES = ["lake-county", "lakeside", "northside", "west"]


def within(seconds: float, true: Callable[[], bool]) -> bool:
    """Whether it becomes true in that time."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sites of which the registry was asked to count the one measure, in order."""
    monkeypatch.setattr(warming, "measures", lambda: {"cf2": CF2})
    monkeypatch.setattr(warming, "EVERY_SECONDS", 0.05)
    done: list[str] = []
    surveys = counting.surveys

    def noted(*args: object, site: str | None = None) -> object:
        found = surveys(*args, site=site)  # type: ignore[arg-type]
        done.append(site or "all")
        return found

    monkeypatch.setattr(counting, "surveys", noted)
    return done


def test_measures_are_counted_before_anybody_asks_and_again_when_a_load_has_ended(
    small_registry: Engine, tmp_path: Path, asked: list[str]
) -> None:
    fill(small_registry, population(), load_events())
    app = make_app(small_registry, network="Riverbend", clock=lambda: NOW, gate=gate_for(tmp_path), warm=True)
    with TestClient(app) as client:
        assert within(60, lambda: client.get("/measures/cf2").status_code == 200)
        assert asked == SITES
        with writing(small_registry) as connection:
            connection.execute(update(load).values(ended=NOW))
        assert within(60, lambda: asked == SITES * 2)


def test_a_measure_that_cannot_be_counted_holds_up_no_other(
    small_registry: Engine, tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(small_registry, population(), load_events())
    monkeypatch.setattr(warming, "measures", lambda: {"cf1": measures()["cf1"], "cf2": CF2})
    surveys = counting.surveys

    def broken(connection: object, measure: Measure, *args: object, **options: object) -> object:
        if measure is not CF2:
            raise AttributeError(measure.id)
        return surveys(connection, measure, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(counting, "surveys", broken)
    monkeypatch.setattr(counting, "surveys_of_all", lambda *_, **__: 1 / 0)
    app = make_app(small_registry, network="Riverbend", clock=lambda: NOW, gate=gate_for(tmp_path), warm=True)
    with TestClient(app, raise_server_exceptions=False) as client:
        assert within(60, lambda: asked == SITES)
        assert client.get("/measures/cf1").status_code == 500


def test_who_asks_before_the_first_count_is_told_to_come_back(
    small_registry: Engine, tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for a page while a whole network is counted."""
    fill(small_registry, population(), load_events())
    surveys, go_on = counting.surveys, Event()

    def slow(*args: object, **options: object) -> object:
        assert go_on.wait(60)
        return surveys(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(counting, "surveys", slow)
    monkeypatch.setattr(counting, "PATIENCE_SECONDS", 0.1)
    app = make_app(small_registry, network="Riverbend", clock=lambda: NOW, gate=gate_for(tmp_path), warm=True)
    with TestClient(app) as client:
        told = client.get("/measures/cf2")
        assert (told.status_code, asked) == (503, [])
        assert "Still counting" in told.text
        assert "counted once when the pages are started" in told.text
        assert told.headers["retry-after"] == "30"
        monkeypatch.setattr(counting, "PATIENCE_SECONDS", 60)
        go_on.set()
        assert client.get("/measures/cf2").status_code == 200


@pytest.mark.parametrize("broken", [False, True])
def test_measures_counted_together_are_what_each_is_alone(
    small_registry: Engine, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """Site after site with all that is alike shared; each alone where one of them cannot be counted so."""
    fill(small_registry, population(), load_events())
    both = [measures()["cf2"], measures()["genwt"]]
    if broken:
        monkeypatch.setattr(counting, "surveys_of_all", lambda *_, **__: 1 / 0)
    together, memory = counting.Together(lambda: reading(small_registry), both), Memory()
    with reading(small_registry) as connection:
        for measure in both:
            found, _ = memory.counted(connection, measure, NOW, together)
            alone, _ = Memory().counted(connection, measure, NOW)
            assert (found.counts, found.known, found.strata) == (alone.counts, alone.known, alone.strata)
            assert found.counts["month"]


def test_a_page_shows_what_was_counted_before_while_somebody_counts_anew(
    small_registry: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(small_registry, population(), load_events())
    memory, counting_now, go_on = Memory(), Event(), Event()
    with reading(small_registry) as connection:
        before, _ = memory.counted(connection, CF2, NOW)
    surveys = counting.surveys

    def slow(*args: object, **options: object) -> object:
        counting_now.set()
        assert go_on.wait(60)
        return surveys(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(counting, "surveys", slow)
    with writing(small_registry) as connection:
        connection.execute(update(load).values(ended=NOW))

    def count() -> None:
        with reading(small_registry) as connection:
            memory.counted(connection, CF2, NOW)

    beside = Thread(target=count)
    beside.start()
    assert counting_now.wait(60)
    with reading(small_registry) as connection:
        assert memory.counted(connection, CF2, NOW)[0] is before
        go_on.set()
        beside.join(60)
        assert memory.counted(connection, CF2, NOW)[0] is not before


def test_only_sites_of_which_something_came_are_counted_anew(
    small_registry: Engine, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load that ended, somebody set aside, a change between loads; the figures are those of a count of all."""
    fill(small_registry, population(), load_events())
    memory = Memory()

    def now() -> counting.Counted:
        with reading(small_registry) as connection:
            return memory.counted(connection, CF2, NOW)[0]

    first = now()
    assert now() is first
    with writing(small_registry) as connection:
        connection.execute(update(load).where(load.c.site == "west").values(ended=NOW))
    assert now().counts == first.counts
    with writing(small_registry) as connection:
        someone = connection.scalar(
            select(RECORD_TABLES["person"].c.subject).where(RECORD_TABLES["person"].c.site == "west")
        )
        until = date(2026, 12, 31)
        put_aside(connection, CF2, str(someone), reason="trial", since=date(2026, 1, 1), until=until, by="Kim", at=NOW)
    aside = now()
    assert {name: each.aside for name, each in aside.known.items()} == {
        "northside": {},
        "west": {"trial": 1},
        "lake-county": {},
    }
    monkeypatch.setattr(counting, "LONGEST_SECONDS", -1)
    fill(small_registry, [visit("lake-county-1", "2026-11-19", site="lake-county")], [])
    after = now()

    assert asked == ["all", "west", "west", "lake-county"]
    with reading(small_registry) as connection:
        anew = Memory().counted(connection, CF2, NOW)[0]
    assert (after.counts, after.known, after.strata) == (anew.counts, anew.known, anew.strata)
    assert after.counts != aside.counts
