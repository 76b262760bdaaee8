"""All short cuts from bytes to bytes: contents in their usual form that hardly recur are cut, not decoded.

Each stands for a rule (or for what is read of `meta`) and either gives what that would give, or None: then it is read.
"""

import re
from binascii import hexlify
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from msgspec.json import encode

from transforms.codes.units import UnitRow
from transforms.fhir.elements import NOTHING_WRITTEN, ZEROS
from transforms.fhir.times import OFFSET, instant, is_doubtful, utc_text
from transforms.mapped import WHOLE
from transforms.rules.setting import Setting
from transforms.rules.units import LONGEST_COMPANION, MANNERS, plain_manner

Openings = Sequence["bytes | None"]
"""`,"name":` of each field in `gives`; None for one that does not leave."""
Usual = Callable[[bytes, "bytes | None"], "bytes | None"]
"""(the field's bytes, the companion's bytes) → the members they become; None where `read` has to look."""

_DAY = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MINUTES = frozenset(b"%02d:%02d" % (hour, minute) for hour in range(24) for minute in range(60))
_SECONDS = frozenset(b":%02d" % second for second in range(60))
_DAYS = 16_384
_MICROSECOND = timedelta(microseconds=1)
_OFFSET = re.compile(
    rb'"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3}|\.[0-9]{6})?(?!.00:00|.{5}")%b"'
    % OFFSET.encode()
)
_NUMBER = rb"(-?(?:0|[1-9][0-9]{0,7})(?:\.[0-9]{1,18})?)"
_VALUE_FIRST = re.compile(rb'\{"value":%b(,"[^\\]{1,400}\})' % _NUMBER)
_VALUE_LAST = re.compile(rb'\{("[^\\]{1,400}),"value":%b\}' % _NUMBER)
_RANGE = re.compile(rb'\[\{"(low|high)":(\{[^{}\\]*\}),"(low|high)":(\{[^{}\\]*\})\}\]')
_META = re.compile(
    rb'\{"versionId":"([A-Za-z0-9.\-]{1,64})","lastUpdated":"([0-9T:.+\-Z]{20,35})"((?:,(?!"versionId"|"lastUpdated")[^,\\]*)*)\}'
)
OTHER_VERSIONS = re.compile(rb"/(STU3|DSTU2|[13]\.0)/|/StructureDefinition/daf-")
"""Profiles of other FHIR versions; US Core's `STU3.1.1` is R4."""


# ---------------------------------------------------------------- times


class UsualMoments:
    """`moment` for the usual form of a time, `"2026-03-02T09:10:00.250Z"` or with an offset, as JSON from JSON.

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
            return _with_offset(raw)
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
        if clock == b"00:00:00":
            return None  # may be a date
        midnight, before, after = known
        return raw[:12] + clock + b'Z"', before if clock < midnight else after

    def _learn(self, day: bytes) -> tuple[bytes, bytes, bytes] | None:
        """(the zone's midnight on this day of UTC, the local date before it, from it on)."""
        if len(self._days) >= _DAYS:
            self._days.clear()
        known = self._days[day] = self._midnight(day)
        return known

    def _midnight(self, day: bytes) -> tuple[bytes, bytes, bytes] | None:
        if not _DAY.fullmatch(day) or is_doubtful(day.decode()):
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


def _with_offset(raw: bytes) -> tuple[bytes, bytes] | None:
    """(UTC, local date) of a time with an offset; none for another form, and what is not on a clock or in a calendar."""
    if not _OFFSET.fullmatch(raw):
        return None
    text = raw[1:-1].decode()
    if is_doubtful(text):
        return None
    try:
        return b'"%b"' % utc_text(datetime.fromisoformat(text)).encode(), raw[:11] + b'"'
    except ValueError:
        return None


usual_moments = lru_cache(maxsize=16)(UsualMoments)
"""One memory of days for all rules of a time zone."""


def instant_cut(setting: Setting, openings: Openings) -> Usual:
    """A time → the instant in UTC and the local date."""
    moments, latest = usual_moments(setting.zone), setting.latest.encode()

    def cut(raw: bytes, companion: bytes | None) -> bytes | None:
        if raw[1:11] > latest:
            return None
        found = moments(raw)
        return None if found is None else _members(openings, found)

    return cut


def date_cut(setting: Setting, openings: Openings) -> Usual:
    """A time → the local date."""
    moments, latest = usual_moments(setting.zone), setting.latest.encode()

    def cut(raw: bytes, companion: bytes | None) -> bytes | None:
        if raw[1:11] > latest:
            return None
        found = moments(raw)
        return None if found is None else _members(openings, found[1:])

    return cut


def period_cut(starts: int, ends: int) -> Callable[[Setting, Openings], Usual]:
    """A Period with both ends → the first `starts` fields of its start, the first `ends` of its end."""

    def usual(setting: Setting, openings: Openings) -> Usual:
        moments, latest = usual_moments(setting.zone), setting.latest.encode()

        def cut(raw: bytes, companion: bytes | None) -> bytes | None:
            cut_apart = _ends_of(raw)
            if cut_apart is None or cut_apart[0][1:11] > latest:
                return None
            first, last = map(moments, cut_apart)
            if first is None or last is None or last[0].rstrip(b'Z"') < first[0].rstrip(b'Z"'):
                return None
            return _members(openings[: starts + ends], (*first[:starts], *last[:ends]))

        return cut

    return usual


def _ends_of(period: bytes) -> tuple[bytes, bytes] | None:
    """A Period's start and end as they stand; none where one is missing."""
    if period.startswith(b'{"start":"'):
        middle = period.find(b'","end":"')
        return (period[9 : middle + 1], period[middle + 8 : -1]) if middle > 0 else None
    middle = period.find(b'","start":"') if period.startswith(b'{"end":"') else -1
    return (period[middle + 10 : -1], period[7 : middle + 1]) if middle > 0 else None


# ---------------------------------------------------------------- numbers, links


class _Plain(NamedTuple):
    """How numbers before a text are treated, where that is: as they stand."""

    row: UnitRow | None
    meant: bytes
    shown: bytes


class _PlainQuantities:
    """Quantities whose number leaves as it stands, the number before all else or behind it, and what is known of that."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._known: dict[tuple[bytes | None, bytes], _Plain | None] = {}

    def __call__(self, raw: bytes, companion: bytes | None) -> tuple[bytes, _Plain] | None:
        """(the number, how it is treated); none where the rule has to look."""
        if companion is not None and len(companion) > LONGEST_COMPANION:
            return None
        if match := _VALUE_FIRST.fullmatch(raw):
            number, rest = match.groups()
        elif match := _VALUE_LAST.fullmatch(raw):
            number, rest = match[2], b",%b}" % match[1]
        else:
            return None
        key = companion, rest
        known = self._known[key] if key in self._known else self._learn(key)
        return None if known is None else (number, known)

    def _learn(self, key: tuple[bytes | None, bytes]) -> _Plain | None:
        if len(self._known) >= MANNERS:
            self._known.clear()
        manner = plain_manner(key[1], key[0], self._setting)
        known = self._known[key] = manner and _Plain(manner.row, _json(manner.unit), _json(manner.shown))
        return known


def quantity_cut(setting: Setting, openings: Openings) -> Usual:
    """A Quantity whose number leaves as it stands → value, unit, raw value, raw unit."""
    plain_one = _PlainQuantities(setting)
    value, unit, raw_value, raw_unit = (opening or b"" for opening in openings[:4])

    def cut(raw: bytes, companion: bytes | None) -> bytes | None:
        found = plain_one(raw, companion)
        if found is None:
            return None
        number, (row, meant, shown) = found
        if row is not None and not row.low <= Decimal(number.decode()) <= row.high:
            return None
        text = value + _plainly(number) if value else b""
        if unit:
            text += unit + meant
        if raw_value:
            text += raw_value + b'"' + number + b'"'
        return text + raw_unit + shown if raw_unit and shown else text

    return cut


def _plainly(number: bytes) -> bytes:
    """`plain` of a number without an exponent."""
    if b"." in number:
        number = number.rstrip(b"0").rstrip(b".")
    return b"0" if number == b"-0" else number


def reference_range_cut(setting: Setting, openings: Openings) -> Usual:
    """One reference range with two ends in one unit, whose numbers leave as they stand → low, high, unit."""
    plain_one = _PlainQuantities(setting)

    def cut(raw: bytes, companion: bytes | None) -> bytes | None:
        match = _RANGE.fullmatch(raw)
        if match is None or match[1] == match[3]:
            return None
        first, second = plain_one(match[2], companion), plain_one(match[4], companion)
        if first is None or second is None or first[1].meant != second[1].meant:
            return None
        one, other = (_plainly(number) for number, _ in (first, second))
        low, high = (one, other) if match[1] == b"low" else (other, one)
        if float(low) > float(high):
            return None
        return _members(openings, (low, high, first[1].meant))

    return cut


_BESIDE = rb'"(?!reference"|type")[A-Za-z_]+": ?(?:"[^"\\]*"|\{[^{}\\]*\})'
"""A member of a Reference that does not decide whom it names: `display`, `identifier`."""


def _reference(resource_type: str, but: str = NOTHING_WRITTEN) -> Callable[[bytes], re.Match[bytes] | None]:
    """Matches a relative Reference to a resource of a type; group 1 is the id, `but` what is none or has to be looked at."""
    named = rb'"reference": ?"%b/((?!(?:%b)")[A-Za-z0-9.\-]{1,64})"' % (resource_type.encode(), but.encode())
    return re.compile(rb"\{(?:%b, ?)*%b(?:, ?%b)*\}" % (_BESIDE, named, _BESIDE)).fullmatch


def link_cut(resource_type: str) -> Callable[[Setting, Openings], Usual]:
    """A Reference → the record id of the resource it names."""

    def usual(setting: Setting, openings: Openings) -> Usual:
        digest, kind = setting.pseudonyms.refs(), resource_type.encode() + b"/"
        form = _reference(resource_type)
        before, after = (openings[0] or b"") + b'"r-', hexlify(WHOLE) + b'"'

        def cut(raw: bytes, companion: bytes | None) -> bytes | None:
            match = form(raw)
            if match is None:
                return None
            return before + hexlify(digest(kind + match[1])) + after if openings[0] else b""

        return cut

    return usual


# ---------------------------------------------------------------- subjects


def _subject_cut(matches: Callable[[bytes], re.Match[bytes] | None]) -> Callable[[Setting, Openings], Usual]:
    def usual(setting: Setting, openings: Openings) -> Usual:
        subject = setting.pseudonyms.subject
        before = (openings[0] or b"") + b'"s-'

        def cut(raw: bytes, companion: bytes | None) -> bytes | None:
            match = matches(raw)
            return None if match is None else before + hexlify(subject(match[1].decode())) + b'"'

        return cut

    return usual


patient_cut = _subject_cut(_reference("Patient", f"{NOTHING_WRITTEN}|{ZEROS}"))
"""A Reference to a Patient → the pseudonym."""
the_patient_cut = _subject_cut(re.compile(rb'"((?!%b")[A-Za-z0-9.\-]{1,64})"' % NOTHING_WRITTEN.encode()).fullmatch)
"""A Patient's id → the pseudonym."""


# ---------------------------------------------------------------- meta


def meta_cut(raw: bytes, setting: Setting, is_silent: Callable[[bytes], bool]) -> tuple[bytes, int] | None:
    """`meta` as servers write it → what follows the ref in the provenance's source, and lastUpdated in microseconds.

    `is_silent` says of what stands behind those that it need not be read.
    """
    match = _META.fullmatch(raw)
    if match is None or (match[3] and not is_silent(match[3])):
        return None
    try:
        utc, updated = instant(match[2].decode(), setting.zone)
    except ValueError:
        return None
    if not 0 < updated <= setting.last_moment:
        return None
    version = setting.version(match[1].decode()) or ""
    return b'","version":"%b","updated":"%b"' % (version.encode(), utc.encode()), updated


# ---------------------------------------------------------------- writing


def _members(openings: Openings, texts: Sequence[bytes]) -> bytes:
    """The members of fields whose values are JSON already; empty ones, and those that do not leave, are left out."""
    return b"".join([opening + text for opening, text in zip(openings, texts, strict=True) if opening and text])


def _json(text: str) -> bytes:
    return encode(text) if text else b""
