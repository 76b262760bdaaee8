"""How the numbers of one code and unit are treated: in which unit they leave, and which are plausible."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import NamedTuple

from msgspec import Raw

from schemas.problems import Reason
from transforms.codes.spellings import is_listed, spelled
from transforms.codes.systems import LOINC, UCUM, repaired_system
from transforms.codes.units import (
    ANOTHERS,
    SAME,
    Conversion,
    UnitFault,
    UnitRow,
    conversion,
    is_ucum,
    turned,
    unit_table,
    without_annotations,
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
from transforms.rules.concepts import absences_in, chosen_code, concept_of, usable_codings
from transforms.rules.setting import Setting

MANNERS = 4096
LONGEST_COMPANION = 1024


def number_in(source: Quantity, *, bounded: bool = False) -> tuple[str, tuple[str, ...]]:
    """The number as written, and a flag where it stood in quotation marks. Raises Unusable; also for a bound where none is told apart."""
    if source.comparator and not bounded:
        raise Unusable(Reason.INVALID_FIELD, "comparator")
    try:
        written, quoted = number_of(bytes(source.value))
    except Unusable:
        raise Unusable(Reason.INVALID_FIELD, "value") from None
    return written, ("number-as-text",) if quoted else ()


_LONGEST_BARE = 9_999_999
_LONGEST_READ = 99_999_999
_COUNTED = frozenset(
    {"/mL", "/uL", "/L", "/g", "[IU]/mL", "[iU]/mL", "[IU]/L", "[iU]/L", "[CFU]/mL", "[CFU]/g", "[CFU]/L"}
)
"""Units of what is counted in so large numbers that each digit may be told: copies of a virus in a millilitre."""
_READ_OFF = 5
"""Digits that a number as long as a telephone's says something by where it was measured or made: 1,250,000,000 copies."""
_FEWEST_DIGITS = 9
_TO_THREE_DIGITS = Context(prec=3, rounding=ROUND_HALF_EVEN)


def is_long(written: str) -> bool:
    """Whether a number that has no unit may be a telephone's, a day, a record's: longer than what is counted in bodies."""
    return abs(float(written)) > _LONGEST_BARE


def is_odd(written: str) -> bool:
    """Whether a number says more digits than are read off where it is long."""
    whole = Decimal(written)
    return whole != whole.to_integral_value() or len(f"{abs(whole):.0f}".rstrip("0")) > _READ_OFF


class Given(NamedTuple):
    """The unit a source means, and what of its own writing may leave."""

    unit: str = ""
    """UCUM; empty where the source gives none."""
    shown: str = ""
    """The unit as the source wrote it; empty where that is of no closed list."""
    flags: tuple[str, ...] = ()
    fault: Reason | None = None
    mapped: bool = False
    """The site's code map says so."""


def meant_unit(source: Quantity, setting: Setting, wanted: str = "") -> Given:
    """The unit a source means: by the site's map, by the table of spellings, and by UCUM where its system is that or none.

    `wanted` is the unit of its code's values. A text that contradicts the code is a fault, not a choice. One letter or digits
    of another system are no unit's name: Germany's medication plan writes `g` for a single dose, `h` for a glass.
    """
    system = repaired_system(source.system)
    code, text = text_of(source.code), text_of(source.unit)
    for key in ((system or "", code), ("", code), ("", text)):
        if key[1] and (meant := setting.codes.get(key, {}).get(UCUM)):
            return Given(meant, key[1], mapped=True)
    foreign = system not in (UCUM, None) and (len(code) < 2 or code.isdigit())
    by_code, by_text = (spelled(written, wanted) if written else None for written in ("" if foreign else code, text))
    if by_code and by_text:
        if not _agree(by_code, by_text):
            return Given(fault=Reason.UNIT_CONTRADICTED)
        return _as_written(by_code, code)
    if by_code or by_text:
        return _as_written(by_code, code) if by_code else _as_written(by_text or "", text)
    written = code or text
    if not written:
        return Given()
    if system in (UCUM, None) and is_ucum(written):
        return Given(written, flags=("unit-withheld",))
    return Given(fault=Reason.UNKNOWN_UNIT)


def _as_written(unit: str, written: str) -> Given:
    return Given(unit, written, () if unit == written else ("unit-repaired",))


def _agree(one: str, other: str) -> bool:
    """Whether two units are the same, however named: `mcg/L` and `ng/mL`."""
    if without_annotations(one) == without_annotations(other):
        return True
    try:
        return conversion(one, other) in (SAME, Conversion(Decimal("1.0"), Decimal("0.0")))
    except UnitFault:
        return False


def given_unit(source: Quantity, setting: Setting) -> tuple[str, str]:
    """The UCUM unit the source means (empty where it gives none that is known), and the unit as it wrote it, fit to leave."""
    given = meant_unit(source, setting)
    return given.unit, given.shown


class Manner(NamedTuple):
    """How the numbers of one code and unit are treated."""

    unit: str = ""
    """Unit of the value; empty where the source gives none."""
    shown: str = ""
    turn: Conversion = SAME
    row: UnitRow | None = None
    fault: Reason | None = None
    flags: tuple[str, ...] = ()


def may_be_somebodys(written: str, manner: Manner | None = None) -> bool:
    """Whether a number is as long and as odd as a telephone's or a record's.

    Without a unit any that is long is; of a code with a range, one beyond it; else one of nine digits. What is counted in a volume
    is not left out but rounded (`to_three_digits`).
    """
    size = abs(float(written))
    if size <= _LONGEST_BARE or (manner is not None and not manner.unit):
        return size > _LONGEST_BARE
    if not is_odd(written):
        return False
    if manner is not None and manner.row is not None:
        return not manner.row.low <= manner.turn.of(Decimal(written)) <= manner.row.high
    return size > _LONGEST_READ and not _is_counted(manner)


def _is_counted(manner: Manner | None) -> bool:
    return manner is not None and without_annotations(manner.unit) in _COUNTED


def to_three_digits(written: str, manner: Manner) -> tuple[str, tuple[str, ...]]:
    """A count in a volume that is as long and as odd as a telephone's to its first three digits, flagged: no assay tells more.

    Any other number as it is.
    """
    if (
        len(written) < _FEWEST_DIGITS
        or abs(float(written)) <= _LONGEST_READ
        or not _is_counted(manner)
        or not is_odd(written)
    ):
        return written, ()
    flags = ("number-rounded",)
    return f"{_TO_THREE_DIGITS.create_decimal(written):f}", flags


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
    row = unit_row(companion, setting)
    given = meant_unit(source, setting, row.unit if row else "")
    if given.fault is not None:
        return Manner(fault=given.fault)
    if not given.unit:
        return Manner(row=row, flags=("unit-missing",))
    if row is None:
        unit = given.unit if is_listed(given.unit) or given.mapped else without_annotations(given.unit)
        known = is_listed(unit) or (given.mapped and is_ucum(unit))
        return Manner(unit, given.shown, flags=given.flags) if known else Manner(fault=Reason.UNKNOWN_UNIT)
    try:
        return Manner(row.unit, given.shown, turned(given.unit, row), row, flags=given.flags)
    except UnitFault as fault:
        return Manner(fault=fault.reason)


def plain_manner(rest: bytes, companion: bytes | None, setting: Setting) -> Manner | None:
    """How numbers before this text are treated, where that is: as they stand. None for all else."""
    if has_key_twice(b'{"value":0' + rest) or absences_in(rest):
        return None
    try:
        source = decode(b'{"value":0' + rest, Quantity)
        manner = manner_of(source, companion, setting)
    except Unusable:
        return None
    usual = (
        source.comparator is None and manner.fault is None and manner.unit and not manner.flags and manner.turn is SAME
    )
    return manner if usual else None


def unit_row(companion: bytes | None, setting: Setting) -> UnitRow | None:
    """The unit table's row of the code in `companion`."""
    if companion is None:
        return None
    try:
        usable = usable_codings(concept_of(companion), setting).found
    except Unusable:
        return None  # the code's own rule reports it
    loinc = chosen_code(usable, (LOINC,), setting.codes)
    return unit_table().get(loinc) if loinc else None


def in_unit(written: str, manner: Manner) -> tuple[Raw, tuple[str, ...]]:
    """The value in its code's unit, and what was noticed. Without a unit it stands as written, and is judged no less.

    Raises Unusable for a number that can be none of its unit where the code is of another kind of quantity: `99 mmol/L` of a
    glucose that is coded as a mass was measured in mg/dL; a percentile is no index.
    """
    flags = manner.flags
    if manner.row is None:
        return plain(written), flags
    value = Decimal(written)
    if manner.turn is not SAME:
        if manner.turn is ANOTHERS:
            raise Unusable(Reason.UNIT_MISMATCH, "value")
        if (holds := manner.turn.holds) is not None and not holds[0] <= value <= holds[1]:
            raise Unusable(Reason.UNIT_MISMATCH, "value")
        value = manner.turn.of(value)
        flags = (*flags, *manner.turn.flags, "unit-converted")
    if value > manner.row.high:
        flags = (*flags, "implausible-high")
    elif value < manner.row.low:
        flags = (*flags, "implausible-low")
    return plain(written if manner.turn is SAME else value), flags
