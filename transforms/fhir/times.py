"""FHIR dates and times: an instant in UTC and the local date, as precise as the source."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

_DATE = re.compile(r"(?!0000)\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?", re.ASCII)
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2})(:\d{2})?(\.\d{1,12})?(Z|z|[+-]\d{2}:?\d{2})?", re.ASCII)
_DAY = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MINUTES = frozenset(b"%02d:%02d" % (hour, minute) for hour in range(24) for minute in range(60))
_SECONDS = frozenset(b":%02d" % second for second in range(60))
_DAYS = 16_384
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


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


class UsualMoments:
    """`moment` for the usual form of a time, `"2026-03-02T09:10:00.250Z"` or with `+00:00`, as JSON from JSON.

    The text is checked and cut, not parsed; the zone's offset is remembered for each day, so that a time not met before
    costs a third of what `moment` does. No zone changes its clocks twice within a day of UTC.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._days: dict[bytes, tuple[bytes, bytes, bytes] | None] = {}

    def __call__(self, raw: bytes) -> tuple[bytes, bytes] | None:
        """(UTC, local date), each as JSON; none where `moment` has to look."""
        if raw.endswith(b'+00:00"'):
            clock = raw[12:-7]
        elif raw.endswith(b'Z"'):
            clock = raw[12:-2]
        else:
            return None
        if raw[11:12] != b"T" or clock[:5] not in _MINUTES or clock[5:8] not in _SECONDS:
            return None
        day = raw[1:11]
        known = self._days[day] if day in self._days else self._learn(day)
        if known is None:
            return None
        if fraction := clock[8:]:
            if len(fraction) == 4:
                fraction += b"000"
            if len(fraction) != 7 or fraction[:1] != b"." or not fraction[1:].isdigit():
                return None
            clock = clock[:8] if fraction == b".000000" else clock[:8] + fraction
        midnight, before, after = known
        return raw[:12] + clock + b'Z"', before if clock < midnight else after

    def _learn(self, day: bytes) -> tuple[bytes, bytes, bytes] | None:
        """(the zone's midnight on this day of UTC, the local date before it, from it on)."""
        if len(self._days) >= _DAYS:
            self._days.clear()
        known = self._days[day] = self._midnight(day)
        return known

    def _midnight(self, day: bytes) -> tuple[bytes, bytes, bytes] | None:
        if not _DAY.fullmatch(day):
            return None
        try:
            first = datetime.fromisoformat(f"{day.decode()}T00:00:00+00:00")
            starts, ends = (when.astimezone(self._zone) for when in (first, first + timedelta(days=1) - _MICROSECOND))
        except (ValueError, OverflowError):
            return None
        offset = starts.utcoffset()
        if offset is None or offset != ends.utcoffset():
            return None  # clocks change
        midnight = (timedelta() - offset) % timedelta(days=1)
        text = f"{(datetime.min + midnight).time()}".encode()
        return text, f'"{starts.date()}"'.encode(), f'"{ends.date()}"'.encode()


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
