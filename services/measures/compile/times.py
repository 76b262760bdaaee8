"""Time for evaluation in memory: what is known of a moment is the earliest and the latest it can be.

A date of 2025-03 can be any day of that March. Comparisons are so, not so, or unknown (`None`).
"""

import math
from calendar import monthrange
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple

from services.measures.language.moments import Precision

DAY = 86_400.0
"""Seconds."""


class Known(NamedTuple):
    """What is known of a moment: as days (ordinals) and as instants (seconds of the epoch), earliest and latest each."""

    first_day: float
    last_day: float
    earliest: float
    latest: float


ALWAYS, FOREVER = Known(*[-math.inf] * 4), Known(*[math.inf] * 4)
UNKNOWN = Known(-math.inf, math.inf, -math.inf, math.inf)
EPOCH = date(1970, 1, 1).toordinal()


def on(day: date) -> Known:
    """A whole day."""
    ordinal = day.toordinal()
    return _of_days(ordinal, ordinal)


@lru_cache(16_384)
def moment(local_date: str | None, instant: str | datetime | None) -> Known:
    """What a record's two fields say: a partial date (`2025`, `2025-03`, `2025-03-07`), and an instant where known."""
    if local_date is None:
        return UNKNOWN if instant is None else _of_instant(instant)
    days = _of_days(*_days(local_date))
    if instant is None:
        return days
    seconds = _seconds(instant)
    return Known(days.first_day, days.last_day, seconds, seconds)


def shifted(known: Known, months: int, days: int) -> Known:
    """Moved by calendar time; a month's missing day is its last. Instants are given up."""
    return _of_days(_moved(known.first_day, months, days), _moved(known.last_day, months, days))


def full_years(birth: Known, at: Known) -> tuple[int, int] | None:
    """Fewest and most full years from one moment to another; none where a side is without bound."""
    if math.inf in map(abs, (birth.first_day, birth.last_day, at.first_day, at.last_day)):
        return None
    return _years(birth.last_day, at.first_day), _years(birth.first_day, at.last_day)


def no_later(one: Known, other: Known, by: Precision = "day") -> bool | None:
    """`one` ≤ `other`."""
    first, last, others_first, others_last = _sides(one, other, by)
    if last < others_first:
        return True
    if first > others_last:
        return False
    met = last == others_first
    if by != "day":
        met = met and first in (last, -math.inf) and others_last in (others_first, math.inf)
        alike = by != "stated" and (first, last) == (others_first, others_last) != (-math.inf, math.inf)
        met = met or alike
    return True if met else None


def before(one: Known, other: Known, by: Precision = "day") -> bool | None:
    """`one` < `other`."""
    later = no_later(other, one, by)
    return None if later is None else not later


def first_instant(known: Known) -> Known:
    """Of a day, the instant that begins it."""
    return known._replace(latest=known.earliest)


def last_instant(known: Known) -> Known:
    """Of a day, the instant that ends it."""
    return known._replace(earliest=known.latest)


def _sides(one: Known, other: Known, by: Precision) -> tuple[float, float, float, float]:
    if by in ("instant", "timed"):
        return one.earliest, one.latest, other.earliest, other.latest
    return one.first_day, one.last_day, other.first_day, other.last_day


def _of_days(first: float, last: float) -> Known:
    return Known(first, last, (first - EPOCH) * DAY, (last - EPOCH + 1) * DAY - 1e-3)


def _of_instant(instant: str | datetime) -> Known:
    seconds = _seconds(instant)
    day = math.floor(seconds / DAY) + EPOCH
    return Known(day, day, seconds, seconds)


def _seconds(instant: str | datetime) -> float:
    known = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    return (known if known.tzinfo else known.replace(tzinfo=UTC)).timestamp()


def _days(partial: str) -> tuple[int, int]:
    year, *rest = map(int, partial.split("-"))
    if not rest:
        return date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal()
    if len(rest) == 1:
        return date(year, rest[0], 1).toordinal(), date(year, rest[0], monthrange(year, rest[0])[1]).toordinal()
    day = date(year, *rest).toordinal()
    return day, day


FIRST_YEAR, LAST_YEAR = 100, 9899
"""What is moved from beyond these years is before or after all: 0001 and 9999 stand for no day."""


@lru_cache(65_536)
def _moved(ordinal: float, months: int, days: int) -> float:
    if math.isinf(ordinal):
        return ordinal
    start = date.fromordinal(int(ordinal))
    if not FIRST_YEAR <= start.year <= LAST_YEAR:
        return -math.inf if start.year < FIRST_YEAR else math.inf
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1])).toordinal() + days


def _years(birth: float, at: float) -> int:
    """A child of 29 February has its birthday on 1 March in other years."""
    born, now = date.fromordinal(int(birth)), date.fromordinal(int(at))
    return now.year - born.year - ((now.month, now.day) < (born.month, born.day))
