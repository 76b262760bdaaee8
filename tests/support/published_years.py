"""Cases of the published measures in both years: days without a year, and what they are made of.

A case is a line: what is added to a person who is in the denominator, and where that leads in 2025 and in 2026. Days are written
without their year: `03-15` lies in the measurement period, `-12-31` in the year before it, `+01-01` in the year after it.
"""

from collections.abc import Callable
from typing import Any

import pytest
from qicore_persons import concept, done, problem, seen, told, word

from services.measures.official import common as c

UCUM = "http://unitsofmeasure.org"
Resources = list[dict[str, Any]]
Case = tuple[str, Callable[["Year"], Any], str, str]
"""What it is, what is added, the outcome of 2025, of 2026."""


class Year:
    """Days of a measurement year and of those beside it."""

    def __init__(self, year: int) -> None:
        self.year = year

    def __call__(self, day: str) -> str:
        """`03-15`, `-12-31` of the year before, `+01-01` of the year after."""
        shift = {"-": -1, "+": 1}.get(day[0], 0)
        return f"{self.year + shift}-{day[1:] if shift else day}"

    def stay(self, first: str, last: str | None) -> dict[str, str]:
        """A period from the morning of a day to the morning of another."""
        end = {"end": f"{self(last)}T09:00:00.000Z"} if last else {}
        return {"start": f"{self(first)}T08:00:00.000Z"} | end


def told_for(y: Year, code: Any, first: str, last: str | None, *answers: Any, **given: Any) -> dict[str, Any]:
    """An answer true of a period."""
    return told(code, None, *answers, effectivePeriod=y.stay(first, last), **given)


def done_for(y: Year, code: Any, first: str, last: str | None, **given: Any) -> dict[str, Any]:
    """A procedure that took a period."""
    return done(code, "", performedDateTime=None, performedPeriod=y.stay(first, last), **given)


def stayed(y: Year, first: str, last: str | None, to: Any, **given: Any) -> dict[str, Any]:
    """A stay in hospital, and where it led to."""
    period = {"period": y.stay(first, last), "hospitalization": {"dischargeDisposition": concept(to)}}
    return seen(c.INPATIENT, "2020-01-01", **period | given)


def sure(status: str) -> dict[str, Any]:
    return {"verificationStatus": word("condition-ver-status", status)}


def over(status: str = "resolved") -> dict[str, Any]:
    return {"clinicalStatus": word("condition-clinical", status)}


def of_kind(kind: str) -> dict[str, Any]:
    return {"category": [word("condition-category", kind)]}


def both(name: str, made: Callable[[Year], Any], outcome: str) -> Case:
    return name, made, outcome, outcome


def cases(*each: Case) -> list[Any]:
    """As parameters, each in both years."""
    return [
        pytest.param(year, made, outcome, id=f"{year} {name}")
        for name, made, of_2025, of_2026 in each
        for year, outcome in ((2025, of_2025), (2026, of_2026))
    ]


def ill_since(day: str) -> Callable[[Year], Resources]:
    return lambda y: [problem(c.FRAILTY_DIAGNOSIS, y("03-01")), problem(c.ADVANCED_ILLNESS, y(day))]
