"""Ages: what stands where a date is asked for and nobody remembers one, as Age, Range or in words."""

import re
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct

from schemas.problems import Reason
from transforms.fhir.elements import Quantity, Unusable, decode, falls, plain, text_of
from transforms.rules.declaring import NOTHING, Found, Rule
from transforms.rules.setting import Setting
from transforms.rules.texts import string_of
from transforms.rules.times import spoken_date
from transforms.rules.units import number_in

OLDEST = 130
_UNITS = {
    "a": "a y yr yrs year years yo jahr jahre jahren an ans année années año años anno anni jaar",
    "mo": "mo mos month months monat monate monaten mois mes meses mese mesi maand maanden",
    "wk": "wk wks week weeks woche wochen semaine semaines semana semanas settimana settimane weken",
    "d": "d day days tag tage tagen jour jours día días giorno giorni dagen",
    "h": "h hour hours",
    "min": "min minute minutes",
}
_SPELT = {spelling: unit for unit, spellings in _UNITS.items() for spelling in spellings.split()}
_NUMBER = r"(\d{1,3}(?:\.\d{1,2})?)"
_SAID = re.compile(
    rf"(?P<age>at |in )?(?:age[d]?:? ?)?(?:of )?{_NUMBER}(?: ?(?:-|to) ?{_NUMBER})? ?-?(?P<unit>[a-zéñí]+)?(?:[ -](?:old|of age))?\.?"
)
_AGED = re.compile(r"(?:at )?age[d]?\b")


class Ages(NamedTuple):
    """Output fields of an age: the age or a range's lower end, its upper end, their unit."""

    age: str
    high: str
    unit: str


class _Range(Struct, gc=False):
    low: Quantity | None = None
    high: Quantity | None = None


def age(names: Ages) -> Rule:
    """Age → the age and its unit, `a mo wk d h min`."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        return _found(decode(raw, Quantity | None), None, names)

    return Rule(names, read)


def age_range(names: Ages) -> Rule:
    """Range of ages → its ends and their unit."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        source = decode(raw, _Range | None) or _Range()
        return _found(source.low, source.high, names)

    return Rule(names, read)


def age_or_date_in_words(names: Ages, utc: str, date: str) -> Rule:
    """A text → the age or the date it says in so many words (`5 years`, `age 5`, `2019-04`), flagged; any other is withheld."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        text = " ".join(string_of(raw).lower().split())
        if not text:
            return NOTHING
        told = spoken_date(text, utc, date, setting) or _spoken(text, names)
        return told or Found(flags=("text-withheld",))

    return Rule((*names, utc, date), read)


def _spoken(text: str, names: Ages) -> Found | None:
    match = _SAID.fullmatch(text)
    if match is None:
        return None
    low, high, word = match[2], match[3], match["unit"]
    unit = _SPELT.get(word) if word else ("a" if _AGED.match(text) else None)
    if unit is None:
        return None
    values = {names.age: plain(low), names.high: plain(high) if high else None, names.unit: unit}
    falling = ("range-contradictory",) if high and falls(plain(low), plain(high)) else ()
    return Found(values, ("from-text", *falling, *_implausible(unit, low, high)))


def _found(low: Quantity | None, high: Quantity | None, names: Ages) -> Found:
    """The ends that are there. Raises Unusable for a unit that is none of time, or two of them."""
    ends = [(name, end) for name, end in ((names.age, low), (names.high, high)) if end is not None and _has_value(end)]
    units = {_SPELT.get((text_of(end.code) or text_of(end.unit)).lower()) for _, end in ends}
    if not ends:
        return NOTHING
    if len(units) > 1 or None in units:
        raise Unusable(Reason.UNKNOWN_UNIT, "code" if ends[0][1].code is not None else "unit")
    unit = next(iter(units)) or ""
    written = [number_in(end) for _, end in ends]
    values = {name: plain(text) for (name, _), (text, _) in zip(ends, written, strict=True)}
    flags = dict.fromkeys(flag for _, noticed in written for flag in noticed)
    if falls(values.get(names.age), values.get(names.high)):
        flags["range-contradictory"] = None
    return Found({**values, names.unit: unit}, (*flags, *_implausible(unit, *(text for text, _ in written))))


def _has_value(source: Quantity) -> bool:
    return source.value is not None and bytes(source.value) != b"null"


def _implausible(unit: str, *written: str | None) -> tuple[str, ...]:
    numbers = [Decimal(text) for text in written if text]
    if any(number < 0 for number in numbers):
        return ("implausible-low",)
    return ("implausible-high",) if unit == "a" and any(number > OLDEST for number in numbers) else ()
