"""Numbers: a quantity in the one unit of its code, whole numbers, true and false."""

import re
from dataclasses import replace
from typing import Any

from msgspec import Raw, Struct

from schemas.problems import Reason
from transforms.codes.spellings import is_listed
from transforms.codes.units import ANOTHERS
from transforms.fhir.elements import (
    Quantity,
    Scalar,
    Stated,
    Unusable,
    decode,
    falls,
    number_of,
    plain,
    text_of,
)
from transforms.rules.concepts import absences_in, null_flavour_of, says_absent
from transforms.rules.declaring import NOTHING, Found, Rule
from transforms.rules.refusals import not_masked, understood
from transforms.rules.setting import Setting
from transforms.rules.short_cuts import quantity_cut, reference_range_cut
from transforms.rules.units import (
    Manner,
    in_unit,
    is_long,
    manner_of,
    may_be_somebodys,
    meant_unit,
    number_in,
    to_three_digits,
    unit_row,
)


def quantity(
    *,
    value: str,
    unit: str,
    raw_value: str,
    raw_unit: str,
    comparator: str,
    absent: str,
    unit_of: str,
) -> Rule:
    """Quantity → the value in the one unit of its code (units.csv), beside the value and unit as written.

    `unit_of` names the FHIR field with the code. Units that are unknown, contradicted or of another
    dimension are problems; implausible values are flagged, those without a unit too.
    """

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        source = decode(raw, Quantity | None)
        reasons = absences_in(raw)
        if source is None or source.value is None or bytes(source.value) == b"null":
            return not_masked(raw, {absent: null_flavour_of(reasons)})
        if reasons:
            return replace(not_masked(raw, {absent: null_flavour_of(reasons)}), flags=("several:value[x]",))
        source = _bounded(source)
        written, flags = number_in(source, bounded=True)
        bound = _comparator(source.comparator)
        manner = manner_of(source, companion, setting)
        if manner.fault is not None:
            raise Unusable(manner.fault, "code" if source.code is not None else "unit")
        if manner.turn is ANOTHERS:
            return Found({absent: "OT"}, ("unit-of-another",))
        if may_be_somebodys(written, manner):
            return Found({absent: "OT"}, ("number-withheld",))
        written, shortened = to_three_digits(written, manner)
        number, noticed = in_unit(written, manner)
        values = {value: number, unit: manner.unit, raw_value: written, raw_unit: manner.shown, comparator: bound}
        return Found(values, (*flags, *shortened, *noticed))

    gives = (value, unit, raw_value, raw_unit, comparator, absent)
    return Rule(gives, read, needs=unit_of, usual=quantity_cut)


_BOUND = re.compile(r"(<=|>=|<|>)\s*([0-9.]+)")


def _bounded(source: Quantity) -> Quantity:
    """A Quantity whose value is `"<0.6"`: the comparator stands in the wrong place."""
    value = bytes(source.value)
    match = _BOUND.fullmatch(text_of(decode(value, str))) if value[:1] == b'"' and source.comparator is None else None
    if match is None:
        return source
    number = Raw(b'"%b"' % match[2].encode())
    return Quantity(number, source.unit, source.system, source.code, comparator=match[1])


class _Range(Struct, gc=False):
    low: Stated | None = None
    high: Stated | None = None
    appliesTo: Raw = None  # type: ignore[assignment]
    age: Raw = None  # type: ignore[assignment]
    text: Any = None


def value_range(*, low: str, high: str, unit: str, absent: str, unit_of: str) -> Rule:
    """Range → its ends in the one unit of its code. `unit_of` names the FHIR field with the code."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        source = decode(raw, _Range | None) or _Range()
        if any(map(_withheld, (source.low, source.high))):
            return Found({absent: "OT"}, ("number-withheld",))
        if any(end is not None and end.value is not None and says_absent(end) for end in (source.low, source.high)):
            return replace(not_masked(raw, {absent: null_flavour_of(absences_in(raw))}), flags=("several:value[x]",))
        found = _ends(source, (low, high, unit), companion, setting)
        return found if found.values else Found({absent: "NI"}, found.flags)

    return Rule((low, high, unit, absent), read, needs=unit_of)


def reference_range(*, low: str, high: str, unit: str, unit_of: str) -> Rule:
    """List of reference ranges → the ends of the one that is for everybody; of several such, or in words alone, none, flagged."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        listed: list[_Range | None] = decode(raw, list[_Range | None] | None) or []
        given = [each for each in listed if each is not None and (each.low or each.high)]
        plain_ones = [each for each in given if each.appliesTo is None and each.age is None]
        chosen = plain_ones if len(given) > 1 else given
        if not given:
            worded = any(each is not None and isinstance(each.text, str) and each.text.strip() for each in listed)
            return Found(flags=("reference-withheld",)) if worded else NOTHING
        if len(chosen) != 1:
            return Found(flags=("reference-several",))
        try:
            if any(map(_withheld, (chosen[0].low, chosen[0].high))):
                return Found(flags=("reference-withheld",))
            found = _ends(chosen[0], (low, high, unit), companion, setting)
        except Unusable:
            return Found(flags=("reference-withheld",))
        return Found(found.values, tuple([flag for flag in found.flags if flag == "range-contradictory"]))

    return Rule((low, high, unit), read, needs=unit_of, usual=reference_range_cut)


def _withheld(end: Quantity | None) -> bool:
    """Whether the number of an end may be somebody's. Raises Unusable."""
    return end is not None and end.value is not None and may_be_somebodys(number_in(end)[0])


def _with_units(source: _Range) -> tuple[Quantity | None, Quantity | None]:
    """The ends of a Range; one that has no unit is in that of the other."""
    low, high = source.low, source.high
    if low is None or high is None:
        return low, high
    return _in_that_of(low, high), _in_that_of(high, low)


def _in_that_of(end: Quantity, other: Quantity) -> Quantity:
    if text_of(end.unit) or text_of(end.code):
        return end
    return Quantity(end.value, other.unit, other.system, other.code, end.comparator)


def _ends(source: _Range, names: tuple[str, str, str], companion: bytes | None, setting: Setting) -> Found:
    """What a Range gives, under the names of its low end, its high end and their unit. Raises Unusable."""
    values: dict[str, Any] = {}
    flags: list[str] = []
    for name, end, path in zip(names, _with_units(source), ("low", "high"), strict=False):
        if end is None or end.value is None or bytes(end.value) == b"null":
            continue
        written, noticed = number_in(end)
        manner = manner_of(end, companion, setting)
        if manner.fault is not None:
            raise Unusable(manner.fault, path)
        number, more = in_unit(written, manner)
        if values.get(names[2], manner.unit) != manner.unit:
            raise Unusable(Reason.UNIT_CONTRADICTED, path)
        values |= {name: number, names[2]: manner.unit}
        flags += (*noticed, *more)
    if falls(values.get(names[0]), values.get(names[1])):
        flags.append("range-contradictory")
    return Found(values, tuple(dict.fromkeys(flags)))


class _Ratio(Struct, gc=False):
    numerator: Quantity | None = None
    denominator: Quantity | None = None


def ratio(*, numerator: str, denominator: str, unit: str, comparator: str, absent: str) -> Rule:
    """Ratio (a titre) → its two numbers, and their unit where they have one: `1:64`, `2 mg/mL`."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        source: _Ratio = decode(raw, _Ratio | None) or _Ratio()
        over, under = source.numerator, source.denominator
        if over is None or under is None or over.value is None or under.value is None:
            return Found({absent: "NI"})
        (first, noticed), (second, more) = number_in(over, bounded=True), number_in(under)
        given = [meant_unit(each, setting) for each in (over, under)]
        bare = not any(each.unit for each in given)
        if any(may_be_somebodys(each) or (bare and is_long(each)) for each in (first, second)):
            return Found({absent: "OT"}, ("number-withheld",))
        if any(each.fault is not None or (each.unit and not is_listed(each.unit)) for each in given):
            return Found({absent: "OT"}, ("value-type-withheld",))
        if not float(second):
            return Found({absent: "OT"}, ("ratio-of-nothing",))
        top, bottom = ("" if each.unit == "1" else each.unit for each in given)
        said = f"{top}/{bottom}" if bottom != top and bottom else "" if bottom == top else top
        values = {numerator: plain(first), denominator: plain(second), unit: said}
        bound = _comparator(over.comparator)
        return Found(
            values | {comparator: bound}, tuple(dict.fromkeys((*noticed, *more, *given[0].flags, *given[1].flags)))
        )

    return Rule((numerator, denominator, unit, comparator, absent), read)


def integer(*, value: str, raw_value: str, absent: str = "", unit_of: str | None = None) -> Rule:
    """integer → the value and the value as written; where `unit_of` names the field with the code, judged as a Quantity is.

    With `absent`, a number that may be one of somebody's is withheld.
    """

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if raw == b"null":
            return NOTHING
        written, quoted = number_of(raw)
        if absent and is_long(written):
            return Found({absent: "OT"}, ("number-withheld",))
        row = unit_row(companion, setting)
        number, noticed = in_unit(written, Manner(row=row, flags=("unit-missing",) if row else ()))
        return Found({value: number, raw_value: written}, (*(("number-as-text",) if quoted else ()), *noticed))

    return Rule((value, raw_value, *((absent,) if absent else ())), read, needs=unit_of)


def boolean(name: str, *, as_code: bool = False, modifier: bool = False) -> Rule:
    """boolean → true or false; `as_code` gives the text "true" or "false". What a `modifier` says must be understood.

    Another's yes and no are repaired.
    """

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        written = text_of(decode(raw, Scalar)).lower()
        said = written if modifier else _SPOKEN.get(written, written)
        if said not in ("true", "false", ""):
            raise Unusable(Reason.INVALID_FIELD)
        return Found({name: said if as_code else said == "true"}, repaired=said != written) if said else NOTHING

    return understood(Rule((name,), read)) if modifier else Rule((name,), read)


_SPOKEN = {"y": "true", "yes": "true", "n": "false", "no": "false"}
_COMPARATORS = frozenset({"<", "<=", ">=", ">"})
_SIGNS = {"≤": "<=", "≥": ">=", "&lt;": "<", "&gt;": ">", "&lt;=": "<=", "&gt;=": ">="}


def _comparator(written: str | None) -> str | None:
    """The bound; none for a sign of equality, and for an empty one."""
    text = (written or "").strip()
    said = _SIGNS.get(text, text)
    if said in ("", "="):
        return None
    if said not in _COMPARATORS:
        raise Unusable(Reason.INVALID_FIELD, "comparator")
    return said
