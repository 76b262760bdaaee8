"""FHIR dates and times: an instant in UTC and the local date, as precise as the source."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

_DATE = re.compile(r"(?!0000)\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?", re.ASCII)
OFFSET = r"[+-](?:(?:0[0-9]|1[0-3]):?[0-5][0-9]|14:?00)"
"""No clock on earth, and no time of FHIR's, is farther from UTC than 14 hours: what says so says no time."""
_TIME = re.compile(
    rf"(\d{{4}}-\d{{2}}-\d{{2}})[Tt](\d{{2}}:\d{{2}})(:\d{{2}})?(\.\d{{1,12}})?(Z|z|{OFFSET}|[+-](?:0[0-9]|1[0-4]))?",
    re.ASCII,
)
_USUAL = re.compile(rf"\d{{4}}-\d{{2}}-\d{{2}}T\d{{2}}:\d{{2}}:\d{{2}}(\.\d+)?(Z|(?=.{{6}}$){OFFSET})?", re.ASCII)
_MIDNIGHT_UTC = re.compile(r"(.{10})T00:00:00(\.0+)?(Z|[+-]00:00)")
FILLERS = frozenset({"0001", "1753", "1899", "1900", "9999"})
"""Years that databases and spreadsheets put where there is no time; nobody lives who was born in them."""
FIRST_YEAR = "1890"
"""Nobody younger than the oldest of mankind was born before."""
_COMPACT = re.compile(
    r"(189\d|19\d\d|20\d\d)(\d\d)(\d\d)(?:T?([01]\d|2[0-4])([0-5]\d)([0-5]\d|60)?(\.\d{1,12})?(Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)
"""HL7 v2's DTM from the day on, and ISO 8601's basic format: `20260302050000-0500`."""
_DAY_ZONED = re.compile(rf"\d{{4}}-\d{{2}}-\d{{2}}(?:Z|{OFFSET})", re.ASCII)
_COMMA = re.compile(r"(:\d\d),(?=\d)", re.ASCII)
_NAMED = re.compile(r"(Z|[+-]\d\d:\d\d)\[[A-Za-z_/+\-0-9]{1,40}\]$")
_APART = re.compile(r"\s*(\d{4}-\d{2}-\d{2})\s+(?=\d{2}:)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FARTHEST = timedelta(hours=14)


def is_doubtful(text: str) -> bool:
    """Whether a time is one that is written where there is none, or of a year in which nobody lived who lives now."""
    return text[:4] < FIRST_YEAR or text[:4] in FILLERS or text.startswith(_ZERO)


_ZERO = "1970-01-01T00:00:00"
"""What comes of a zero where programs count seconds."""


def spread(text: str) -> str:
    """A date or time of HL7 v2, or of ISO 8601's basic format, as FHIR writes it: `2026-03-02T05:00:00-0500`. So are a date with an
    offset (XML Schema), a comma before the fraction (ISO 8601), the name of a zone behind an offset (Java). Any other is as it is.
    """
    if _DAY_ZONED.fullmatch(text):
        return text[:10]
    match = _COMPACT.fullmatch(text)
    if match is None:
        return _COMMA.sub(r"\1.", _NAMED.sub(r"\1", text))
    year, month, day, hour, minute, second, fraction, offset = match.groups(default="")
    date = f"{year}-{month}-{day}"
    return f"{date}T{hour}:{minute}:{second or '00'}{fraction}{offset}" if hour else date


class Moment(NamedTuple):
    """One FHIR date, dateTime or instant."""

    utc: str | None
    """`2026-03-02T09:10:00Z`; none where the source gives a date only."""
    date: str
    """Local date: of the timestamp's own offset, else of the site's time zone."""
    flags: tuple[str, ...] = ()


def moment(text: str, zone: tzinfo, *, midnight_is_date: bool = False) -> Moment:
    """The moment a FHIR date, dateTime or instant names; `zone` is the site's.

    Midnight of UTC may be a date that a system wrote as a time: it is that where the site says so, else flagged where the
    local date is the day before. Raises ValueError for what is no time; the error holds the text, so it must not leave the caller.
    """
    if len(text) <= 10:
        day = spread(text)
        return Moment(None, calendar_date(day), ("time-repaired",) * (day != text))
    flags: tuple[str, ...] = ()
    try:
        if not _USUAL.fullmatch(text):
            raise ValueError("not FHIR's form")
        when = datetime.fromisoformat(text)
    except ValueError:
        text = spread(text)
        if len(text) <= 10:
            return Moment(None, calendar_date(text), ("time-repaired",))
        when = _repaired(text)
        flags = ("time-repaired",)
    offset = when.utcoffset()
    if offset is None:
        return _assumed(when, zone, flags)
    if offset:
        return Moment(utc_text(when), when.isoformat()[:10], flags)
    try:
        local = when.astimezone(zone).isoformat()[:10]
    except OverflowError:
        raise ValueError("outside the calendar") from None
    if midnight := _MIDNIGHT_UTC.fullmatch(text):
        if midnight_is_date:
            return Moment(None, midnight[1], flags)
        flags = flags if local == midnight[1] else (*flags, "midnight-utc")
    return Moment(when.isoformat()[:-6] + "Z", local, flags)


def _assumed(when: datetime, zone: tzinfo, flags: tuple[str, ...]) -> Moment:
    """A time without an offset is the site's. Where clocks go back it stands twice: the first is meant; where they go on
    it does not stand at all: it is read by the clock that was not put on."""
    first, second = (when.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    flags = (*flags, "time-zone-assumed")
    if first is not None and second is not None and first != second:
        flags = (*flags, "time-ambiguous" if first > second else "time-in-gap")
    return Moment(utc_text(when.replace(tzinfo=zone)), when.isoformat()[:10], flags)


def instant(text: str, zone: tzinfo) -> tuple[str, int]:
    """(UTC text, microseconds since 1970) of a FHIR instant. Raises ValueError."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = _repaired(spread(text))
    if when.tzinfo is None:
        when = when.replace(tzinfo=zone)
    elif when.tzinfo is not UTC and abs(when.utcoffset() or timedelta()) > _FARTHEST:
        raise ValueError("no offset on earth")
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
    """Stray white space (Cerner: `2023-08-01T16: 09: 08.000Z`), a blank for the T, no seconds, offsets without a colon or of whole hours (PostgreSQL: `+00`), small letters.

    A leap second is the second before it; 24:00 is midnight of the next day.
    """
    match = _TIME.fullmatch("".join(_APART.sub(r"\1T", text).split()))
    if match is None:
        raise ValueError("not a FHIR dateTime")
    day, minute, second, fraction, offset = match.groups(default="")
    ends = minute == "24:00" and not (second + fraction).strip(":.0")
    second = ":59" if second == ":60" else second or ":00"
    when = datetime.fromisoformat(f"{day}T{'00:00' if ends else minute}{second}{fraction}{offset.upper()}")
    try:
        return when + timedelta(days=1) if ends else when
    except OverflowError:
        raise ValueError("outside the calendar") from None
