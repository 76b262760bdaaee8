"""Measurement periods: the months, quarters or years of a stretch of time."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Literal

from services.measures.compile.memory import Period

Step = Literal["month", "quarter", "year"]
MONTHS: dict[str, int] = {"month": 1, "quarter": 3, "year": 12}


def periods(step: Step, since: str, until: str) -> dict[str, Period]:
    """By their names (`2026-10`, `2026-Q4`, `2026`) the periods from the one of the date or month `since` to the one of the date `until`."""
    last = date.fromisoformat(until)
    return {_name(step, first): Period(first, end, last) for first, end in _stretches(step, since, last)}


def _stretches(step: Step, since: str, until: date) -> Iterator[tuple[date, date]]:
    year, month = int(since[:4]), int(since[5:7] or 1)
    months = MONTHS[step]
    first = date(year, (month - 1) // months * months + 1, 1)
    while first <= until:
        after = _later(first, months)
        yield first, after - timedelta(days=1)
        first = after


def _name(step: Step, first: date) -> str:
    if step == "year":
        return f"{first.year}"
    return f"{first:%Y-%m}" if step == "month" else f"{first.year}-Q{(first.month + 2) // 3}"


def _later(start: date, months: int) -> date:
    years, month = divmod(start.month - 1 + months, 12)
    return date(start.year + years, month + 1, 1)
