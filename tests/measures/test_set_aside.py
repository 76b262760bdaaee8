"""Who a site sets aside: counted by its reason, left out while it holds, back by itself when it is over."""

from datetime import date

import pytest
from services_cases import subject_id
from services_story import fibrosis, fill, percentile, person, visit
from sqlalchemy import Engine

from schemas.errors import OperatorError
from services.measures.compile.memory import Period
from services.measures.evaluate.aside import put_aside, take_back
from services.measures.evaluate.counts import cohorts, evaluate
from services.measures.evaluate.periods import periods
from services.measures.library import measures

CF2 = measures()["cf2"]
OCTOBER_TO_DECEMBER = periods("month", "2026-10", "2026-12-31")


def _filled(engine: Engine) -> None:
    days = ("2026-10-05", "2026-12-05")
    records = [record for day in days for record in (visit("ada", day), percentile("ada", day, 60))]
    fill(engine, [person("ada"), fibrosis("ada"), *records])


def _counted(engine: Engine) -> dict[str, tuple[int, int]]:
    with engine.connect() as connection:
        found = evaluate(connection, CF2, OCTOBER_TO_DECEMBER)
    return {each.period: (each.seen, each.aside) for each in found if each.site == "north"}


def test_exclusion_is_counted_and_expires(registry: Engine) -> None:
    _filled(registry)
    assert _counted(registry) == {"2026-10": (1, 0), "2026-12": (1, 0)}
    with registry.begin() as connection:
        until = date(2026, 11, 30)
        put_aside(
            connection, CF2, subject_id("ada"), reason="trial", since=date(2026, 10, 1), until=until, by="clinician"
        )
    assert _counted(registry) == {"2026-10": (0, 1), "2026-12": (1, 0)}
    with registry.connect() as connection:
        (north,) = cohorts(connection, CF2, Period(date(2026, 1, 1), date(2026, 11, 20)))
        assert north.aside == {"trial": 1}
        (later,) = cohorts(connection, CF2, Period(date(2026, 1, 1), date(2026, 12, 20)))
        assert later.aside == {}


def test_it_can_be_taken_back(registry: Engine) -> None:
    _filled(registry)
    with registry.begin() as connection:
        until = date(2026, 12, 31)
        put_aside(
            connection, CF2, subject_id("ada"), reason="trial", since=date(2026, 10, 1), until=until, by="clinician"
        )
        assert take_back(connection, CF2, subject_id("ada")) == 1
        assert take_back(connection, CF2, subject_id("ada")) == 0
    assert _counted(registry) == {"2026-10": (1, 0), "2026-12": (1, 0)}


@pytest.mark.parametrize(
    ("name", "reason", "until"),
    [
        ("ada", "because", "2026-12-31"),
        ("ada", "trial", "2029-12-31"),
        ("ada", "trial", "2026-01-01"),
        ("bo", "trial", "2026-12-31"),
    ],
)
def test_what_cannot_be_meant_is_refused(small_registry: Engine, name: str, reason: str, until: str) -> None:
    """No such reason, for ever, over before it begins, nobody known."""
    _filled(small_registry)
    since, last = date(2026, 10, 1), date.fromisoformat(until)
    with small_registry.begin() as connection, pytest.raises(OperatorError):
        put_aside(connection, CF2, subject_id(name), reason=reason, since=since, until=last, by="clinician")
