"""How the numbers of one code and unit are treated: in which unit they leave, and which are plausible."""

from decimal import Decimal
from typing import NamedTuple

from msgspec import Raw

from schemas.problems import Reason
from transforms.codes.systems import LOINC, UCUM, repaired_system
from transforms.codes.units import (
    SAME,
    Conversion,
    UnitFault,
    UnitRow,
    conversion,
    is_ucum,
    shareable,
    unit_table,
)
from transforms.fhir.elements import (
    Quantity,
    Unusable,
    decode,
    number_of,
    plain,
    text_of,
)
from transforms.fhir.keys import has_key_twice
from transforms.rules.concepts import chosen_code, concept_of, usable_codings
from transforms.rules.setting import Setting

MANNERS = 4096
LONGEST_COMPANION = 1024


def number_in(source: Quantity) -> tuple[str, tuple[str, ...]]:
    """The number as written, and a flag where it stood in quotation marks. Raises Unusable."""
    try:
        written, quoted = number_of(bytes(source.value))
    except Unusable:
        raise Unusable(Reason.INVALID_FIELD, "value") from None
    return written, ("number-as-text",) if quoted else ()


def given_unit(source: Quantity, setting: Setting) -> tuple[str, str]:
    """The UCUM unit the source means (empty where it gives none), and the unit as it wrote it, fit to leave."""
    system = repaired_system(source.system)
    code, text = text_of(source.code), text_of(source.unit)
    for key in ((system or "", code), ("", code), ("", text)):
        if key[1] and (meant := setting.codes.get(key, {}).get(UCUM)):
            return meant, key[1]
    given = code or text
    return given, shareable(given)


class Manner(NamedTuple):
    """How the numbers of one code and unit are treated."""

    unit: str = ""
    """Unit of the value; empty where the source gives none."""
    shown: str = ""
    turn: Conversion = SAME
    row: UnitRow | None = None
    fault: Reason | None = None


def manner_of(source: Quantity, companion: bytes | None, setting: Setting) -> Manner:
    """How a quantity is treated beside the code in `companion`. Remembered, unless the code is very long."""
    key = (companion, source.unit, source.code, source.system)
    manner = setting.manners.get(key)
    if manner is None and companion is not None and len(companion) > LONGEST_COMPANION:
        return _new_manner(source, companion, setting)
    if manner is None:
        if len(setting.manners) >= MANNERS:
            setting.manners.clear()
        manner = setting.manners[key] = _new_manner(source, companion, setting)
    return manner


def _new_manner(source: Quantity, companion: bytes | None, setting: Setting) -> Manner:
    given, shown = given_unit(source, setting)
    if not given:
        return Manner()
    row = _unit_row(companion, setting)
    if row is None:
        return Manner(shareable(given), shown) if is_ucum(given) else Manner(fault=Reason.UNKNOWN_UNIT)
    try:
        return Manner(row.unit, shown, conversion(given, row.unit), row)
    except UnitFault as fault:
        return Manner(fault=fault.reason)


def plain_manner(rest: bytes, companion: bytes | None, setting: Setting) -> Manner | None:
    """How numbers before this text are treated, where that is: as they stand. None for all else."""
    if has_key_twice(b'{"value":0' + rest):
        return None
    try:
        source = decode(b'{"value":0' + rest, Quantity)
        manner = manner_of(source, companion, setting)
    except Unusable:
        return None
    usual = source.comparator is None and manner.fault is None and manner.unit and manner.turn is SAME
    return manner if usual else None


def _unit_row(companion: bytes | None, setting: Setting) -> UnitRow | None:
    if companion is None:
        return None
    try:
        usable = usable_codings(concept_of(companion))[0]
    except Unusable:
        return None  # the code's own rule reports it
    loinc = chosen_code(usable, (LOINC,), setting.codes)
    return unit_table().get(loinc) if loinc else None


def in_unit(written: str, manner: Manner) -> tuple[Raw, tuple[str, ...]]:
    """The value in its code's unit, and what was noticed."""
    if manner.row is None:
        return plain(written), ()
    value = Decimal(written)
    flags: tuple[str, ...] = ()
    if manner.turn is not SAME:
        value = manner.turn.of(value)
        flags = ("unit-converted",)
    if value > manner.row.high:
        flags = (*flags, "implausible-high")
    elif value < manner.row.low:
        flags = (*flags, "implausible-low")
    return plain(value if flags[:1] == ("unit-converted",) else written), flags
