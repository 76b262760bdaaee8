"""UCUM units: one unit a code out, conversion by a library, doubtful values flagged and kept.

`units.csv` says, for each LOINC code, in which unit its values leave and which values are plausible. A code not in the
table keeps its unit. Units are never guessed: `mmHg` is no UCUM unit until the site's code map says it is `mm[Hg]`.
"""

import csv
import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from schemas.problems import Reason

_FREQUENT_UNITS = """
% 1 /min /h cm m mm [in_i] [ft_i] kg g mg ug ng [lb_av] [oz_av] kg/m2 mm[Hg] kPa cm[H2O] Cel [degF] L mL dL uL L/min
mL/min mg/dL g/dL g/L mg/L ug/dL ug/L ng/mL ng/dL pg/mL ug/mL mmol/L umol/L nmol/L pmol/L meq/L mmol/mol U/L kU/L
U/mL [iU]/L m[iU]/L m[iU]/mL u[iU]/mL [iU]/mL 10*3/uL 10*6/uL 10*9/L 10*12/L /uL fL pg mm/h ms s min h d wk mo a
ug/g mg/g mg/kg ug/kg/min mL/kg [pH] mosm/kg [drp] [CFU]/mL /[HPF] /[LPF]
{score} {nominal} {count} {ratio} {INR} {titer} {index_val} {points} {#} {#}/uL {#}/[HPF] {#}/a {#}/d {cells}/uL
{copies}/mL {Ehrlich_U}/dL {beats}/min {breaths}/min {counts/min} {mm/dd/yyyy} {tbl} {pack-years} {s_co_ratio}
mL/min/{1.73_m2} mg/d/{1.73_m2} mg/g{creat} %{total} %{of_predicted} %{vol}
"""
FREQUENT = frozenset(_FREQUENT_UNITS.split())
"""Units that need no parser, a second saved in most runs. UCUM's braces hold any text; only these leave as they are."""

_EXACT = {
    (source, target): (Decimal(factor), Decimal(offset))
    for source, target, factor, offset in (
        ("[lb_av]", "kg", "0.45359237", "0"),
        ("[oz_av]", "kg", "0.028349523125", "0"),
        ("g", "kg", "0.001", "0"),
        ("[in_i]", "cm", "2.54", "0"),
        ("[ft_i]", "cm", "30.48", "0"),
        ("m", "cm", "100", "0"),
        ("mm", "cm", "0.1", "0"),
        ("mL", "L", "0.001", "0"),
        ("g/L", "g/dL", "0.1", "0"),
        ("h", "d", "0.041666666666666666666666667", "0"),
        ("wk", "d", "7", "0"),
        ("10*9/L", "10*3/uL", "1", "0"),
        ("10*12/L", "10*6/uL", "1", "0"),
        # [degF] = 5/9 (x - 32); the library gives the same to 15 digits.
        ("[degF]", "Cel", "0.5555555555555555555555555556", "-17.77777777777777777777777778"),
    )
}
"""Conversions met in most feeds, so that the library (2 s to load) is not; the tests compare them with it."""

_ANNOTATION = re.compile(r"\{[^{}]*\}")
_ASCII = re.compile(r"[!-~]{1,64}")
_RATIOS = frozenset({"%", "1", "[ppth]", "[ppm]"})
_DIGITS = Context(prec=10, rounding=ROUND_HALF_EVEN)


class UnitRow(NamedTuple):
    """In which unit a code's values leave, and which are plausible."""

    unit: str
    low: Decimal
    high: Decimal


class Conversion(NamedTuple):
    """target = source x factor + offset."""

    factor: Decimal
    offset: Decimal

    def of(self, value: Decimal) -> Decimal:
        """The value in the target unit, to ten significant digits (the factor has no more)."""
        return _DIGITS.create_decimal(value * self.factor + self.offset)


SAME = Conversion(Decimal(1), Decimal(0))


class UnitFault(Exception):
    """A unit that cannot be used; carries no text of the source."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@cache
def unit_table() -> dict[str, UnitRow]:
    """`units.csv` by LOINC code."""
    with files("transforms.codes").joinpath("units.csv").open(encoding="utf-8") as lines:
        return {
            row["code"]: UnitRow(row["unit"], Decimal(row["low"]), Decimal(row["high"]))
            for row in csv.DictReader(lines)
        }


@cache
def _parser() -> Callable[[str], object]:
    from ucumvert import get_ucum_parser  # takes a second to import; most runs never need it

    parse: Callable[[str], object] = get_ucum_parser().parse
    return parse


@cache
def _registry() -> Any:
    from ucumvert import PintUcumRegistry

    return PintUcumRegistry()


def is_ucum(unit: str) -> bool:
    """Whether a string is a UCUM unit."""
    if unit in FREQUENT:
        return True
    if not _ASCII.fullmatch(unit):
        return False
    from lark.exceptions import LarkError

    try:
        _parser()(unit)
    except (LarkError, ValueError, RecursionError):
        return False
    return True


def shareable(unit: str) -> str:
    """The unit as it may leave: annotations are free text, so all but the usual ones are taken out."""
    return unit if unit in FREQUENT or "{" not in unit else without_annotations(unit)


def without_annotations(unit: str) -> str:
    """`{beats}/min` is `/min`: UCUM's braces carry no meaning."""
    bare = _ANNOTATION.sub("", unit).replace("1/", "/") if "{" in unit or unit.startswith("1/") else unit
    return bare or "1"


def conversion(source: str, target: str) -> Conversion:
    """How to turn values in `source` into `target`.

    Raises UnitFault: UNKNOWN_UNIT where `source` is no UCUM unit, UNIT_MISMATCH where it measures something else.
    """
    bare, wanted = without_annotations(source), without_annotations(target)
    if bare == wanted:
        return SAME
    if (bare, wanted) in _EXACT:
        return Conversion(*_EXACT[bare, wanted])
    if not is_ucum(source):
        raise UnitFault(Reason.UNKNOWN_UNIT)
    if bare in _RATIOS or wanted in _RATIOS:
        # Arithmetic would turn HbA1c's IFCC mmol/mol into NGSP % ten times too small: ratios are not converted.
        raise UnitFault(Reason.UNIT_MISMATCH)
    return _measured(source, target)


def _measured(source: str, target: str) -> Conversion:
    import pint

    registry = _registry()
    try:
        start, goal = registry.from_ucum(source), registry.from_ucum(target)
        # Two points fix the line: temperatures have an offset, everything else goes through zero.
        zero, hundred = (
            registry.Quantity(point * start.magnitude, start.units).to(goal.units).magnitude / goal.magnitude
            for point in (0.0, 100.0)
        )
    except pint.DimensionalityError:
        raise UnitFault(Reason.UNIT_MISMATCH) from None
    except (pint.PintError, ValueError, ArithmeticError, AttributeError):
        raise UnitFault(Reason.UNKNOWN_UNIT) from None
    context = Context(prec=14)
    return Conversion(context.create_decimal((hundred - zero) / 100), context.create_decimal(zero))
