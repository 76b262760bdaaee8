"""When the events of a person were, for evaluation in memory."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from math import inf
from typing import NamedTuple

from services.measures.compile.people import Person, Record
from services.measures.compile.times import ALWAYS, FOREVER, UNKNOWN, Known, moment, shifted
from services.measures.language.columns import ACTIVE, SPANS, Columns
from services.measures.language.events import Series
from services.measures.language.moments import PERIOD, Edge, Lies, SpanOf, WithinDays
from services.measures.language.nodes import Periodic
from services.measures.language.truths import AllOf, Truth

OF_SEVERAL: dict[str, tuple[str, ...]] = {
    "prevalence": (
        "clinical_status",
        *(
            f"{what}{part}"
            for what in ("onset", "abatement")
            for part in ("", "_date", "_age", "_age_high", "_age_unit")
        ),
    ),
    "supply": (SUPPLY := ("steps", "start_date", "days_supply", "refills", "quantity")),
    "taking": (*SUPPLY, "start", "end_date", "end", "status"),
}
"""The fields of which spans are made that do not stand in fields as they are."""
AGE_UNITS = {"a": (12, 0), "mo": (1, 0), "wk": (0, 7), "d": (0, 1)}
"""UCUM units of an age as months and days."""


class Ends(NamedTuple):
    """Both ends of a span, and the last moment that is given."""

    start: Known
    end: Known
    latest: Known


NOTHING = Ends(UNKNOWN, UNKNOWN, UNKNOWN)


def ends_of(person: Person, record: Record | None, name: str) -> Ends:
    """The span of an event; of an event that is not there, nothing is known."""
    if record is None:
        return NOTHING
    if name == "prevalence":
        return _prevalence(person, record)
    if name == "supply":
        return _supply(record)
    if name == "taking":
        return _taking(record)
    return _as_given(record, SPANS[record["type"], name])


def _as_given(record: Record, columns: Columns) -> Ends:
    start = moment(record.get(columns.start_date), record.get(columns.start or ""))
    given = columns.end_date is not None and (columns.end_date in record or columns.end in record)
    if given:
        end = moment(record.get(str(columns.end_date)), record.get(columns.end or ""))
        return Ends(_not_after(end) if start is UNKNOWN else start, end, end)
    goes_on = columns.without_end == "goes on" or record.get(columns.ongoing or "") is True
    return Ends(start, FOREVER if goes_on else start, start)


def _prevalence(person: Person, record: Record) -> Ends:
    """From onset, or ever; to abatement, or on and on while active. An age is counted from birth, to the end of its year."""
    start = _dated(person, record, "onset", end=False) or ALWAYS
    abated = _dated(person, record, "abatement", end=True)
    goes_on = FOREVER if record.get("clinical_status") in ACTIVE else _not_before(start)
    return Ends(start, abated or goes_on, abated or start)


def _not_before(start: Known) -> Known:
    """An end that nobody knows is not before the start."""
    return Known(start.first_day, inf, start.earliest, inf)


def _not_after(end: Known) -> Known:
    """A start that nobody knows is not after the end."""
    return Known(-inf, end.last_day, -inf, end.latest)


def _dated(person: Person, record: Record, what: str, *, end: bool) -> Known | None:
    if f"{what}_date" in record or what in record:
        return moment(record.get(f"{what}_date"), record.get(what))
    age = record.get(f"{what}_age_high" if end and f"{what}_age_high" in record else f"{what}_age")
    unit = AGE_UNITS.get(record.get(f"{what}_age_unit", ""))
    if age is None or unit is None or person.birth is UNKNOWN:
        return None
    months, days = int(age * unit[0]), int(age * unit[1])
    return shifted(person.birth, months + 12, days - 1) if end else shifted(person.birth, months, days)


def _supply(record: Record) -> Ends:
    """The days an order supplies, refills included: from the start of its schedule, else from when it was written.

    Days of supply as given, else quantity by dose and doses a day; of a part of a day nothing is left for it. A dosage of
    several steps says neither, nor does one that does not say how often.
    """
    steps: list[Record] = record.get("steps") or []
    step = steps[0] if len(steps) == 1 else {}
    start = moment(step.get("start_date") or record.get("start_date"), None)
    days = _days_supplied(record, step)
    if days is not None:
        end = shifted(start, 0, max(int(days) - 1, 0))
    elif "end_date" in step:
        end = moment(step["end_date"], None)
    else:
        return NOTHING
    return Ends(start, end, end)


def _taking(record: Record) -> Ends:
    """From the start to the end as given; else to the end of the supply; else on and on while the order is active."""
    start = moment(record.get("start_date"), record.get("start"))
    if "end_date" in record or "end" in record:
        end = moment(record.get("end_date"), record.get("end"))
    elif (supply := _supply(record)) is not NOTHING:
        end = supply.end
    else:
        end = FOREVER if record.get("status") in ("active", "in-progress") else _not_before(start)
    return Ends(start, end, end)


def _days_supplied(record: Record, step: Record) -> Decimal | None:
    fills = 1 + int(record.get("refills") or 0)
    if (given := record.get("days_supply")) is not None:
        return Decimal(str(given)) * fills
    quantity, dose = record.get("quantity"), step.get("dose_high", step.get("dose"))
    a_day = _doses_a_day(step)
    if quantity is None or not dose or not a_day:
        return None
    return round(Decimal(str(quantity)) / (Decimal(str(dose)) * a_day) * fills, PLACES)


PLACES = 6
"""Decimal places of days of supply that are told apart: what is a fraction of a day by rounding alone is a whole one."""
PERIODS = {
    "s": Decimal(1) / 86_400,
    "min": Decimal(1) / 1440,
    "h": Decimal(1) / 24,
    "d": Decimal(1),
    "wk": Decimal(7),
    "mo": Decimal(30),
    "a": Decimal(365),
}
"""Days in a unit of a schedule's period."""


def _doses_a_day(step: Record) -> Decimal | None:
    """By frequency and period, else by the times of day named; of a dose without either nobody knows."""
    times, period = step.get("frequency_max", step.get("frequency")), step.get("period")
    if times is not None and period:
        unit = PERIODS.get(step.get("period_unit", ""))
        return None if unit is None else Decimal(times) / (Decimal(str(period)) * unit)
    return Decimal(named) if (named := step.get("times_of_day")) else None


class Beginning(NamedTuple):
    """Where events must begin: in the period, or in so many days before its end, that day too."""

    span: SpanOf
    days: int | None = None


def beginning(asked: Sequence[Truth]) -> Beginning | None:
    """Where that is all that is asked of events: as `Series.in_period` and `Series.in_the_days_up_to_the_end` say."""
    match asked:
        case [Lies(SpanOf() as span, "starts_during", right, "day")] if right == PERIOD:
            return Beginning(span) if span.row.which == "this" else None
        case [WithinDays(Edge(SpanOf() as span, "start"), later, days, "day")] if later == PERIOD.end:
            return Beginning(span, days) if span.row.which == "this" else None
    return None


def split(series: Series, periodic: Periodic) -> tuple[Series | None, Truth]:
    """The series without what a period changes, and that; none where either asks for nothing."""
    of = series.such.of if isinstance(series.such, AllOf) else (series.such,)
    steady = tuple(each for each in of if not periodic(each))
    if not steady or len(steady) == len(of):
        return None, series.such
    return replace(series, such=AllOf(steady)), AllOf(tuple(each for each in of if periodic(each)))
