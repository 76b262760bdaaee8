"""Times: the instant in UTC beside the local date, as precise as the source."""

import re
from dataclasses import replace
from typing import Any

from schemas.problems import Reason
from transforms.fhir.elements import (
    Period,
    Unusable,
    decode,
)
from transforms.fhir.times import Moment, calendar_date, moment
from transforms.rules.declaring import NOTHING, Found, Rule
from transforms.rules.setting import Setting
from transforms.rules.short_cuts import date_cut, instant_cut, period_cut
from transforms.rules.texts import string_of


def instant(utc: str, date: str) -> Rule:
    """date, dateTime or instant → the instant in UTC (none for a date only) and the local date."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        return moment_found(string_of(raw), utc, date, setting)

    return Rule((utc, date), read, usual=instant_cut)


def period(*, start: tuple[str, str] | None = None, end: tuple[str, ...] | None = None) -> Rule:
    """Period → for its start and its end the instant in UTC and the local date: `period(start=("start", "start_date"))`."""
    gives = (*(start or ()), *(end or ()))

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        return period_found(decode(raw, Period | None) or Period(), start, end, setting)

    return Rule(gives, read, usual=period_cut(len(start or ()), len(end or ())))


def local_date(name: str) -> Rule:
    """date or dateTime → the local date only."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = moment_found(string_of(raw), "", name, setting)
        return replace(found, values={name: found.values.get(name)})

    return Rule((name,), read, usual=date_cut)


def died(*, flag: str, date: str) -> Rule:
    """deceasedDateTime → that the patient has died, and the local date."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = moment_found(string_of(raw), "", date, setting)
        when = found.values.get(date)
        return replace(found, values={flag: True, date: when}) if when else NOTHING

    return Rule((flag, date), read)


def birth_date(name: str) -> Rule:
    """date → the date; a time of birth is cut off."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        text = string_of(raw)
        day = text.partition("T")[0]
        known = _ZEROED.sub("", day)
        try:
            date = calendar_date(known) if known else ""
        except ValueError:
            raise Unusable(Reason.INVALID_FIELD) from None
        if date and not _FIRST_YEAR <= date[:4] <= _LAST_YEAR:
            return Found(flags=("birth-date-placeholder",))
        return Found({name: date}, repaired=known != day) if date else NOTHING

    return Rule((name,), read)


_ZEROED = re.compile(r"(-00)?-00$")
"""Month or day not known, as systems write it that have no shorter date."""
_FIRST_YEAR, _LAST_YEAR = "1890", "2099"
"""Nobody younger than the oldest of mankind was born before; 0001, 1753 and 9999 are what databases put for no date."""


def moment_found(text: str, utc: str, date: str, setting: Setting) -> Found:
    """What a time gives, under the names of its instant and its local date. Raises Unusable."""
    if not text:
        return NOTHING
    try:
        found = moment(text, setting.zone)
    except ValueError:
        raise Unusable(Reason.INVALID_FIELD) from None
    return Found({utc: found.utc, date: found.date}, found.flags)


def period_found(source: Period, start: tuple[str, ...] | None, end: tuple[str, ...] | None, setting: Setting) -> Found:
    """What a Period gives, under the names of each end's instant and local date. Raises Unusable."""
    values: dict[str, Any] = {}
    flags: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    moments: list[Moment] = []
    for names, text, path in ((start, source.start, "start"), (end, source.end, "end")):
        if not names or not text:
            continue
        try:
            found = moment(text, setting.zone)
        except ValueError:
            dropped = (*dropped, path)
            continue
        moments.append(found)
        values |= dict(zip(names, (found.utc, found.date), strict=False))
        flags = (*flags, *(flag for flag in found.flags if flag not in flags))
    if len(moments) == 2 and _ends_first(*moments):
        flags = (*flags, "ends-before-start")
    return Found(values, flags, dropped=dropped)


def _ends_first(start: Moment, end: Moment) -> bool:
    """Whether a period ends before it starts, as far as both are known."""
    if start.utc and end.utc:
        return start.utc.rstrip("Z") > end.utc.rstrip("Z")
    known = min(len(start.date), len(end.date))
    return start.date[:known] > end.date[:known]
