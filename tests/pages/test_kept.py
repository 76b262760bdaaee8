"""What pages counted is kept: started again they count only what is another since, with the same figures."""

from collections.abc import Callable
from datetime import date, timedelta
from threading import Event

import pytest
from services_story import NOW, fill, load_events, population, visit
from sqlalchemy import Engine, select, text, update

from services.measures.declared import Measure
from services.measures.evaluate.aside import put_aside
from services.measures.library import measures
from services.pages import counted as counting
from services.pages import kept as keeping
from services.pages.counted import Counted, Memory
from services.pages.kept import KeptSurveys
from services.pages.warming import count_all
from services.registry.database import reading, writing
from services.registry.said import page_survey
from services.registry.tables import RECORD_TABLES, load

BOTH = [measures()["cf2"], measures()["genwt"]]
SITES = ["lake-county", "lakeside", "northside", "west"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Of which site and measures the registry was asked."""
    done: list[tuple[str, ...]] = []
    one, several = counting.surveys, counting.surveys_of_all

    def of_one(connection: object, measure: Measure, *args: object, site: str | None = None) -> object:
        done.append((site or "all", measure.id))
        return one(connection, measure, *args, site=site)  # type: ignore[arg-type]

    def of_several(connection: object, wanted: list[Measure], *args: object, site: str) -> object:
        done.append((site, *(each.id for each in wanted)))
        return several(connection, wanted, *args, site=site)  # type: ignore[arg-type]

    monkeypatch.setattr(counting, "surveys", of_one)
    monkeypatch.setattr(counting, "surveys_of_all", of_several)
    return done


@pytest.fixture
def started(small_registry: Engine) -> Callable[[], list[Counted]]:
    """Counts as pages do that were started just now."""
    fill(small_registry, population(), load_events())

    def start() -> list[Counted]:
        memory = Memory(beside=True)
        count_all(lambda: reading(small_registry), memory, BOTH, lambda: NOW, Event(), KeptSurveys(small_registry))
        with reading(small_registry) as connection:
            return [memory.counted(connection, each, NOW)[0] for each in BOTH]

    return start


def test_pages_that_are_started_again_count_nothing_again(
    started: Callable[[], list[Counted]], asked: list[tuple[str, ...]]
) -> None:
    first = started()
    assert asked == [(site, "CF-2", "GEN-WT") for site in SITES]
    assert started() == first
    assert len(asked) == len(SITES)


@pytest.mark.parametrize("what", ["load", "load of the next day", "aside", "between loads", "erased"])
def test_what_came_since_is_counted(
    started: Callable[[], list[Counted]], asked: list[tuple[str, ...]], small_registry: Engine, what: str
) -> None:
    started()
    del asked[:]
    with writing(small_registry) as connection:
        if what.startswith("load"):
            ended = NOW + timedelta(days=what != "load")
            connection.execute(update(load).where(load.c.site == "west").values(ended=ended))
        elif what == "aside":
            person = RECORD_TABLES["person"].c
            someone = connection.scalar(select(person.subject).where(person.site == "west"))
            said = {"since": date(2026, 1, 1), "until": date(2026, 12, 31), "by": "Kim", "at": NOW}
            put_aside(connection, BOTH[0], str(someone), reason="trial", **said)
        elif what == "erased":
            connection.execute(text("insert into erased (subject, at) values ('s-gone', '2026-11-20 00:00:00')"))
    if what == "between loads":
        fill(small_registry, [visit("west-1", "2026-11-19", site="west")], [])
    found = started()
    changed = SITES if what == "erased" else ["west"]
    assert asked == [(site, "CF-2", "GEN-WT") for site in changed]
    with reading(small_registry) as connection:
        for kept, measure in zip(found, BOTH, strict=True):
            anew = Memory().counted(connection, measure, NOW)[0]
            assert (kept.counts, kept.known, kept.strata) == (anew.counts, anew.known, anew.strata)


@pytest.mark.parametrize("what", ["content", "evaluation"])
def test_what_another_version_kept_is_counted_anew(
    started: Callable[[], list[Counted]],
    asked: list[tuple[str, ...]],
    small_registry: Engine,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    first = started()
    del asked[:]
    if what == "evaluation":
        monkeypatch.setattr(keeping, "EVALUATION", 0)
    else:
        with writing(small_registry) as connection:
            connection.execute(update(page_survey).where(page_survey.c.site == "west").values(content='[{"x": 1}]'))
    assert started() == first
    assert [site for site, *_ in asked] == (SITES if what == "evaluation" else ["west"])


def test_pages_stopped_while_they_count_go_on_where_they_were(
    started: Callable[[], list[Counted]], asked: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    of_several = counting.surveys_of_all

    def stopped(*args: object, site: str) -> object:
        if site == "northside":
            raise KeyboardInterrupt
        return of_several(*args, site=site)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(counting, "surveys_of_all", stopped)
        with pytest.raises(KeyboardInterrupt):
            started()
    started()
    assert [site for site, *_ in asked] == SITES


def test_where_nothing_may_be_written_pages_count_all_the_same(
    started: Callable[[], list[Counted]], small_registry: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    first = started()
    with writing(small_registry) as connection:
        page_survey.drop(connection)
        connection.execute(
            text("create view page_survey as select '' site, '' measure, '' key, null arrived, '' content where 1 = 0")
        )
    assert started() == first
    assert "what was counted is not kept" in capsys.readouterr().out
