"""Times: the instant in UTC beside the local date, as precise as the source."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, time
from typing import Any

from msgspec import Struct

from schemas.problems import Reason
from transforms.fhir.elements import (
    Period,
    Scalar,
    Unusable,
    decode,
    text_of,
)
from transforms.fhir.times import FILLERS, FIRST_YEAR, calendar_date, is_doubtful, moment, spread
from transforms.rules.declaring import NOTHING, Found, Rule
from transforms.rules.setting import Setting
from transforms.rules.short_cuts import date_cut, instant_cut, period_cut
from transforms.rules.texts import string_of


def flagged(rule: Rule, flag: str) -> Rule:
    """The rule, and a flag on what it gives."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = rule.read(raw, companion, setting)
        return replace(found, flags=(*found.flags, flag)) if found.values else found

    return replace(rule, read=read, usual=None)


def instant(utc: str, date: str) -> Rule:
    """date, dateTime or instant → the instant in UTC (none for a date only) and the local date."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        return moment_found(string_of(raw), utc, date, setting)

    return Rule((utc, date), read, usual=instant_cut)


def period(
    *,
    start: tuple[str, str] | None = None,
    end: tuple[str, ...] | None = None,
    ongoing: str | None = None,
    past: bool = False,
    or_end: bool = False,
) -> Rule:
    """Period → for its start and its end the instant in UTC and the local date: `period(start=("start", "start_date"))`.

    Where what is `past` starts in the future it is flagged. `or_end`: the end stands for a start that is not known, flagged.
    `ongoing`: the field that says that there is a start and no end; a point in time has none either.
    """
    gives = (*(start or ()), *(end or ()), *((ongoing,) if ongoing else ()))

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        source = decode(raw, Period | None) or Period()
        if or_end and source.end and not source.start:
            found = period_found(Period(start=source.end), start, None, setting, past=past)
            return replace(found, flags=(*found.flags, "time-end"))
        found = period_found(source, start, end, setting, past=past)
        if not (start and end) and source.start and source.end:
            found = replace(found, flags=tuple(dict.fromkeys((*found.flags, *_order(source, setting)))))
        if ongoing and source.start and not source.end and found.values:
            return replace(found, values=found.values | {ongoing: True})
        if not (found.values or found.flags or found.dropped) and (source.start or source.end):
            return Found(dropped=("start" if source.start else "end",))
        return found

    return Rule(gives, read, usual=period_cut(len(start or ()), len(end or ())))


def prepared(utc: str, date: str, *, before: str) -> Rule:
    """A time that is told where the one it comes `before` is missing; beside it, one that comes behind it is flagged."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = moment_found(string_of(raw), utc, date, setting)
        if companion in (None, b"null"):
            return found
        done = moment_found(string_of(companion), utc, date, setting).values.get(date) or ""
        own = found.values.get(date) or ""
        known = min(len(own), len(done))
        return Found(flags=("ends-before-start",)) if own[:known] > done[:known] else NOTHING

    return Rule((utc, date), read, needs=before)


def event_time(utc: str, date: str) -> Rule:
    """dateTime that is a value itself, of what was or is to be → the instant in UTC and the local date."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        return moment_found(string_of(raw), utc, date, setting, past=False)

    return Rule((utc, date), read)


_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?")


def time_of_day(name: str) -> Rule:
    """time → the local time of day, `09:10:00`."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        text = string_of(raw)
        if text and not _CLOCK.fullmatch(text):
            raise Unusable(Reason.INVALID_FIELD)
        return Found({name: text if text.count(":") == 2 else f"{text}:00"}) if text else NOTHING

    return Rule((name,), read)


def local_date(name: str) -> Rule:
    """date or dateTime → the local date only."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = moment_found(string_of(raw), "", name, setting)
        return replace(found, values={name: found.values.get(name)})

    return Rule((name,), read, usual=date_cut)


_SAID = re.compile(r"[12][0-9]{3}(-[0-9]{2}(-[0-9]{2})?)?")


def spoken_date(text: str, utc: str, date: str, setting: Setting) -> Found | None:
    """What a text gives that is a date and nothing more, flagged; one that is in no calendar is withheld; None for any other."""
    if not _SAID.fullmatch(text):
        return None
    try:
        found = moment_found(text, utc, date, setting)
    except Unusable:
        return Found(flags=("text-withheld",))
    return Found(found.values, (*found.flags, "from-text"))


def date_in_words(utc: str, date: str) -> Rule:
    """A text → the date that it is (`2019-04`), flagged; any other is withheld."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if not (text := string_of(raw)):
            return NOTHING
        return spoken_date(text, utc, date, setting) or Found(flags=("text-withheld",))

    return Rule((utc, date), read)


class _Dated(Struct, gc=False):
    url: Scalar = None
    valueDateTime: str | None = None


def date_in_extension(name: str, extension: str) -> Rule:
    """Extensions → the local date in the one that FHIR names so; one that cannot be read is named."""
    address = f"http://hl7.org/fhir/StructureDefinition/{extension}"

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if extension.encode() not in raw:
            return NOTHING
        listed = decode(raw, list[_Dated | None] | _Dated | None) or []
        told = [each for each in (listed if isinstance(listed, list) else [listed]) if each is not None]
        text = next((each.valueDateTime for each in told if text_of(each.url) == address and each.valueDateTime), "")
        try:
            found = moment_found(text.strip(), "utc", name, setting)
        except Unusable:
            return Found(dropped=(extension,))
        return replace(found, values={name: found.values.get(name)})

    return Rule((name,), read)


def date_to_come(name: str) -> Rule:
    """date of what is to be → the local date."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = moment_found(string_of(raw), "", name, setting, past=False)
        return replace(found, values={name: found.values.get(name)})

    return Rule((name,), read)


class _Bounded(Struct, gc=False):
    period: Period | None = None


def due(name: str) -> Rule:
    """Task.restriction → the local date by which it is to be done."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        bounds = (decode(raw, _Bounded | None) or _Bounded()).period or Period()
        found = period_found(bounds, None, ("instant", name), setting)
        dropped = tuple(f"period.{path}" for path in found.dropped)
        return replace(found, values={name: found.values.get(name)}, dropped=dropped)

    return Rule((name,), read)


def died(*, flag: str, date: str) -> Rule:
    """deceasedDateTime → that the patient has died, and the local date."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = moment_found(string_of(raw), "", date, setting)
        when = found.values.get(date)
        return replace(found, values={flag: True, date: when}) if when else found

    return Rule((flag, date), read)


_YES = frozenset({"true", "yes", "y", "1", "deceased", "dead", "died"})
_NO = frozenset({"false", "no", "n", "0", "alive", "living", "not deceased"})


def died_in_words(*, flag: str, date: str) -> Rule:
    """A text where FHIR has a boolean or a time → whether the patient has died, or when, flagged; any other is withheld."""
    dated = died(flag=flag, date=date)

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        text = string_of(raw).lower()
        if text in _YES or text in _NO:
            return Found({flag: text in _YES}, ("from-text",))
        try:
            found = dated.read(raw, None, setting)
        except Unusable:
            return Found(flags=("text-withheld",))
        return replace(found, flags=(*found.flags, "from-text")) if found.values else found

    return Rule((flag, date), read)


def birth_date(name: str) -> Rule:
    """date → the date; a time of birth is cut off. Written as the instant at which that day began at the site, it is that day."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        text = string_of(raw)
        day = _BEHIND_A_DAY.split(text, maxsplit=1)[0]
        known = _ZEROED.sub("", spread(day).partition("T")[0])
        try:
            date = calendar_date(known) if known else ""
        except ValueError:
            raise Unusable(Reason.INVALID_FIELD) from None
        if date and not FIRST_YEAR <= date[:4] <= _LAST_YEAR:
            return Found(flags=("birth-date-placeholder",))
        here, doubtful = _day_here(text, date, setting)
        flags = ("future",) * (here > setting.latest) + ("birth-date-doubtful",) * (doubtful or here in _EPOCHS)
        return Found({name: here}, flags, repaired=here != day) if here else NOTHING

    return Rule((name,), read)


def _day_here(text: str, date: str, setting: Setting) -> tuple[str, bool]:
    """The day that a birth date means which was written as an instant in UTC, and whether it may be another.

    Programs that hold a day as its midnight write `2019-11-04T23:00:00Z` where clocks show an hour more: the 5th. Of any other
    time nobody knows whether it is one of birth, or midnight elsewhere; it matters where the site's day is another.
    """
    if len(text) <= len("2019-11-04T"):
        return date, False
    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is None or when.utcoffset() or when.time() == time():
            return date, False
        here = when.astimezone(setting.zone)
    except (ValueError, OverflowError):
        return date, False
    if here.time() == time():
        return here.date().isoformat(), False
    same = here.date().isoformat() == date or when.time() == time(12)  # noon: written so that the day holds anywhere
    return date, not same


_BEHIND_A_DAY = re.compile(r"T|\s+(?=[0-9]{2}:)")
"""Where a time begins."""
_ZEROED = re.compile(r"(-00)?-00$")
"""Month or day not known, as systems write it that have no shorter date."""
_EPOCHS = frozenset({"1899-12-30", "1899-12-31", "1900-01-01", "1901-01-01", "1904-01-01", "1970-01-01"})
"""Days that programs count from: what they write where nothing was entered; few were born on one."""
_LAST_YEAR = "2099"
"""0001, 1753 and 9999 are what databases put for no date."""


def moment_found(text: str, utc: str, date: str, setting: Setting, *, past: bool = True) -> Found:
    """What a time gives, under the names of its instant and its local date; of what is `past`, none is to come. Raises Unusable."""
    if not text:
        return NOTHING
    if text[:4] in FILLERS:
        return Found(flags=("time-filler",))
    try:
        found = moment(text, setting.zone, midnight_is_date=setting.midnight_is_date)
    except ValueError:
        raise Unusable(Reason.INVALID_FIELD) from None
    flags = (*found.flags, "future") if past and found.date > setting.latest else found.flags
    if is_doubtful(text):
        flags = (*flags, "time-doubtful")
    return Found({utc: found.utc, date: found.date}, flags)


def period_found(
    source: Period, start: tuple[str, ...] | None, end: tuple[str, ...] | None, setting: Setting, *, past: bool = False
) -> Found:
    """What a Period gives, under the names of each end's instant and local date; an end that cannot be read is `dropped`."""
    values: dict[str, Any] = {}
    flags: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    moments: list[tuple[str | None, str]] = []
    for names, text, path in ((start, source.start, "start"), (end, source.end, "end")):
        if not names or not (text := (text or "").strip()):
            continue
        try:
            found = moment_found(text, "utc", "date", setting, past=past and path == "start")
        except Unusable:
            dropped = (*dropped, path)
            continue
        moments.append((found.values.get("utc"), found.values.get("date") or ""))
        values |= dict(zip(names, (found.values.get("utc"), found.values.get("date")), strict=False))
        flags = (*flags, *(flag for flag in found.flags if flag not in flags))
    if len(moments) == 2 and _ends_first(*moments):
        flags = (*flags, "ends-before-start")
    return Found(values, flags, dropped=dropped)


def _order(source: Period, setting: Setting) -> Iterator[str]:
    """That a Period ends before it starts, though one of its ends is told alone."""
    both = period_found(source, ("start", "start_date"), ("end", "end_date"), setting)
    yield from (flag for flag in both.flags if flag == "ends-before-start")


def _ends_first(start: tuple[str | None, str], end: tuple[str | None, str]) -> bool:
    """Whether a period (instant and date of each end) ends before it starts, as far as both are known."""
    if start[0] and end[0]:
        return start[0].rstrip("Z") > end[0].rstrip("Z")
    known = min(len(start[1]), len(end[1]))
    return start[1][:known] > end[1][:known]
