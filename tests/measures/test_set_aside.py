"""Who a site sets aside: counted by its reason, left out while it holds, back by itself when it is over."""

from datetime import UTC, date, datetime

import pytest
from services_cases import subject_id
from services_story import fibrosis, fill, percentile, person, visit
from sqlalchemy import Connection, Engine

from schemas.errors import OperatorError
from services.measures.compile.from_registry import persons_of
from services.measures.compile.memory import Period
from services.measures.evaluate.aside import asides, put_aside, take_back, take_one_back
from services.measures.evaluate.counts import cohorts, evaluate
from services.measures.evaluate.periods import periods
from services.measures.evaluate.persons import standings
from services.measures.library import measures

CF2, ADA = measures()["cf2"], subject_id("ada")
NOW = datetime(2026, 11, 20, 6, 30, tzinfo=UTC)
OCTOBER_TO_DECEMBER = periods("month", "2026-10", "2026-12-31")


def _filled(engine: Engine) -> None:
    days = ("2026-10-05", "2026-12-05")
    records = [record for day in days for record in (visit("ada", day), percentile("ada", day, 60))]
    fill(engine, [person("ada"), fibrosis("ada"), *records])


def said(connection: Connection, *, until: date = date(2026, 12, 31)) -> str:
    """Ada is set aside from October on."""
    return put_aside(connection, CF2, ADA, reason="trial", since=date(2026, 10, 1), until=until, by="Ruth", at=NOW)


def _stands(connection: Connection) -> dict[str, bool]:
    """By period, whether ada is set aside, in memory."""
    found = standings([CF2], persons_of(connection, [ADA]), OCTOBER_TO_DECEMBER)
    return {each.period: each.populations["set-aside"] for each in found}


def _counted(engine: Engine) -> dict[str, tuple[int, int]]:
    with engine.connect() as connection:
        found = evaluate(connection, CF2, OCTOBER_TO_DECEMBER)
    return {each.period: (each.seen, each.aside) for each in found if each.site == "north"}


def test_exclusion_is_counted_and_expires(registry: Engine) -> None:
    _filled(registry)
    assert _counted(registry) == {"2026-10": (1, 0), "2026-12": (1, 0)}
    with registry.begin() as connection:
        until = date(2026, 11, 30)
        said(connection, until=until)
    assert _counted(registry) == {"2026-10": (0, 1), "2026-12": (1, 0)}
    with registry.connect() as connection:
        (north,) = cohorts(connection, CF2, Period(date(2026, 1, 1), date(2026, 11, 20)))
        assert north.aside == {"trial": 1}
        (later,) = cohorts(connection, CF2, Period(date(2026, 1, 1), date(2026, 12, 20)))
        assert later.aside == {}


def test_it_can_be_taken_back_and_stays_written(registry: Engine) -> None:
    """As if it had never been, in SQL and in memory; who said it, who took it back and until when it was meant stay."""
    _filled(registry)
    with registry.begin() as connection:
        first = said(connection)
        assert said(connection) == first, "the same is not said twice"
        assert _stands(connection) == {"2026-10": True, "2026-12": True}
        assert take_back(connection, CF2, ADA, by="Kim", at=NOW) == 1
        assert take_back(connection, CF2, ADA, by="Kim", at=NOW) == 0
        assert _stands(connection) == {"2026-10": False, "2026-12": False}
        (told,) = asides(connection, "north")
        assert (told.by, told.reason.words, told.until, told.noted) == (
            "Ruth", "in a trial that sets the treatment", date(2026, 12, 31), NOW
        )  # fmt: skip
        assert (told.ended, told.ended_by, told.over(date(2026, 11, 1))) == (NOW, "Kim", True)
        assert said(connection) != first, "it can be said again"
        assert [each.ended is None for each in asides(connection, "north", ADA)] == [True, False]
        with pytest.raises(OperatorError):
            take_one_back(connection, "north", first, by="Kim", at=NOW)
        with pytest.raises(OperatorError):
            take_one_back(connection, "west", asides(connection, "north")[0].id, by="Kim", at=NOW)
        assert take_one_back(connection, "north", asides(connection, "north")[0].id, by="Kim", at=NOW) == ADA
    assert _counted(registry) == {"2026-10": (1, 0), "2026-12": (1, 0)}


@pytest.mark.parametrize(
    ("name", "reason", "until"),
    [
        ("ada", "because", "2026-12-31"),
        ("ada", "trial", "2029-12-31"),
        ("ada", "trial", "2026-01-01"),
        ("bo", "trial", "2026-12-31"),
        ("eve", "trial", "2026-12-31"),
    ],
)
def test_what_cannot_be_meant_is_refused(small_registry: Engine, name: str, reason: str, until: str) -> None:
    """No such reason, for ever, over before it begins, nobody known, another site's."""
    _filled(small_registry)
    fill(small_registry, [person("eve", site="west")])
    since, last = date(2026, 10, 1), date.fromisoformat(until)
    with small_registry.begin() as connection, pytest.raises(OperatorError):
        put_aside(
            connection, CF2, subject_id(name), reason=reason, since=since, until=last, by="Ruth", at=NOW, site="north"
        )
