"""Times from outside: FHIR instants, HTTP dates, pauses, lifetimes. What is none, or lies where no calendar reaches, is None.

What is given can be added to and taken from, moved to any time zone, and stored: it lies between `EARLIEST` and `LATEST`.
"""

import math
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2999, 12, 31, tzinfo=UTC)
LONGEST_PAUSE = 120.0
"""Seconds; some servers' first Retry-After is an epoch in milliseconds, others say hours."""
AHEAD = timedelta(days=1)
"""How far a server's clock may run before ours and still be believed."""
LONGEST_LIFE = 24 * 3600.0
"""Seconds; a token is fetched anew after a day, whatever the server says of it."""
_LONGEST_TEXT = 64


def instant(text: str) -> datetime | None:
    """A FHIR instant in UTC; None where it is none, or has no offset."""
    try:
        stamp = datetime.fromisoformat(text)
        return _within(stamp.astimezone(UTC)) if stamp.tzinfo else None
    except (ValueError, OverflowError):
        return None


def http_date(text: str) -> datetime | None:
    """An HTTP date in UTC; None where it is none."""
    if len(text) > _LONGEST_TEXT:
        return None
    try:
        date = parsedate_to_datetime(text)
        return _within(date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC))
    except (
        ValueError,
        OverflowError,
        TypeError,
        IndexError,
    ):  # the last two by email.utils, for what is no date at all
        return None


def believed(said: datetime | None, now: datetime) -> datetime | None:
    """A server's own time, unless it lies in a future that no wrong clock explains."""
    return said if said is not None and said <= now + AHEAD else None


def pause_after(text: str, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header, within reason; None where it says nothing.

    Besides seconds and an HTTP date, epochs in seconds and milliseconds occur.
    """
    text = text.strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        seconds = float(text)
        for epoch in (seconds, seconds / 1000):
            if 1e9 <= epoch < 1e10:
                seconds = epoch - now.timestamp()
    elif (date := http_date(text)) is not None:
        seconds = (date - now).total_seconds()
    else:
        return None
    return min(max(seconds, 0.0), LONGEST_PAUSE)


def lifetime(value: object, otherwise: float) -> timedelta:
    """How long something lives by a number of seconds, or a number as text; `otherwise` where it is less than one, or none."""
    seconds = otherwise
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            seconds = float(value)
        except (ValueError, OverflowError):
            seconds = otherwise
    if not math.isfinite(seconds) or seconds < 1:
        seconds = otherwise
    return timedelta(seconds=min(seconds, LONGEST_LIFE))


def zulu(moment: datetime) -> str:
    """A FHIR instant in UTC, with Z: some servers compare it as text, and then another offset loses everything."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def newest(*stamps: datetime | None) -> datetime | None:
    """The latest of the stamps there are."""
    return max((stamp for stamp in stamps if stamp is not None), default=None)


def _within(stamp: datetime) -> datetime | None:
    return stamp if EARLIEST <= stamp <= LATEST else None
