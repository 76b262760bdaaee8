"""FHIR dates and times: an instant in UTC and the local date, as precise as the source."""

import re
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

_DATE = re.compile(r"(?!0000)\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?", re.ASCII)
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2})(:\d{2})?(\.\d{1,12})?(Z|z|[+-]\d{2}:?\d{2})?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(NamedTuple):
    """One FHIR date, dateTime or instant."""

    utc: str | None
    """`2026-03-02T09:10:00Z`; none where the source gives a date only."""
    date: str
    """Local date: of the timestamp's own offset, else of the site's time zone."""
    flags: tuple[str, ...] = ()


def moment(text: str, zone: tzinfo) -> Moment:
    """The moment a FHIR date, dateTime or instant names; `zone` is the site's.

    Raises ValueError for what is neither; the error holds the text, so it must not leave the caller.
    """
    if len(text) <= 10:
        return Moment(None, calendar_date(text))
    flags: tuple[str, ...] = ()
    try:
        when = datetime.fromisoformat(text)
        if text[10] != "T":
            raise ValueError("not a FHIR dateTime")
    except ValueError:
        when = _repaired(text)
        flags = ("time-repaired",)
    offset = when.utcoffset()
    if offset is None:
        when = when.replace(tzinfo=zone)
        flags = (*flags, "time-zone-assumed")
    elif not offset:
        try:
            local = when.astimezone(zone)
        except OverflowError:
            raise ValueError("outside the calendar") from None
        return Moment(when.isoformat()[:-6] + "Z", local.isoformat()[:10], flags)
    return Moment(utc_text(when), when.isoformat()[:10], flags)


def instant(text: str, zone: tzinfo) -> tuple[str, int]:
    """(UTC text, microseconds since 1970) of a FHIR instant. Raises ValueError."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = _repaired(text)
    if when.tzinfo is None:
        when = when.replace(tzinfo=zone)
    since = when - _EPOCH
    return utc_text(when), (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def calendar_date(text: str) -> str:
    """A FHIR date: year, month or day. Raises ValueError."""
    bare = "".join(text.split())
    if not _DATE.fullmatch(bare):
        raise ValueError("not a FHIR date")
    if len(bare) == 10:
        datetime.fromisoformat(bare)  # refuses the 31st of February
    return bare


def utc_text(when: datetime) -> str:
    """ISO 8601 with Z. Raises ValueError outside the years 1 to 9999."""
    try:
        return (when.astimezone(UTC) if when.utcoffset() else when).isoformat().removesuffix("+00:00") + "Z"
    except OverflowError:
        raise ValueError("outside the calendar") from None


def _repaired(text: str) -> datetime:
    """Stray white space (Cerner: `2023-08-01T16: 09: 08.000Z`), a leap second, no seconds, offsets without a colon."""
    match = _TIME.fullmatch("".join(text.split()))
    if match is None:
        raise ValueError("not a FHIR dateTime")
    day, minute, second, fraction, offset = match.groups(default="")
    second = ":59" if second == ":60" else second or ":00"
    return datetime.fromisoformat(f"{day}T{minute}{second}{fraction}{offset.upper()}")
