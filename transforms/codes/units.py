"""UCUM units: one unit a code out, conversion by a library, doubtful values flagged and kept.

`units.csv` says, for each LOINC code, in which unit its values leave and which values are plausible; `scales.csv` how
ratios of one code turn into each other. A code not in the table keeps its unit, if that is of the closed list.

Where a limit of plausibility is from: `definition` (no percentage of a whole is above 100, no count below 0); harutyunyan-2019
(valid ranges of Harutyunyan H et al. Sci Data 2019;6:96, doi:10.1038/s41597-019-0103-9, by clinical experts); growthcleanr
(adults, step 1); `judgement`: of the network's makers, to be approved by its clinicians.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from schemas.problems import Reason
from transforms.codes.spellings import is_listed

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
        ("10*6/mL", "10*3/uL", "1", "0"),
        ("10*3/mL", "10*3/uL", "0.001", "0"),
        ("10*6/uL", "10*3/uL", "1000", "0"),
        ("/uL", "10*3/uL", "0.001", "0"),
        ("mg/dL", "mg/L", "10", "0"),
        ("ug/mL", "mg/L", "1", "0"),
        ("ug/L", "ng/mL", "1", "0"),
        ("ng/dL", "ng/mL", "0.01", "0"),
        ("g/L", "mg/dL", "100", "0"),
        ("mg/L", "mg/dL", "0.1", "0"),
        ("mg/kg", "ug/g", "1", "0"),
        # [degF] = 5/9 (x - 32); the library gives the same to 15 digits.
        ("[degF]", "Cel", "0.5555555555555555555555555556", "-17.77777777777777777777777778"),
    )
}
"""Conversions met in most feeds, so that the library (2 s to load) is not; the tests compare them with it."""

_ANNOTATION = re.compile(r"(?<=.)/\{[^{}]*\}|\{[^{}]*\}")
_ASCII = re.compile(r"[!-~]{1,64}")
_RATIOS = frozenset({"%", "1", "[ppth]", "[ppm]"})
_ENZYME_UNIT = re.compile(r"\[(?:iU|IU)\]")
_DIGITS = Context(prec=10, rounding=ROUND_HALF_EVEN)


class Conversion(NamedTuple):
    """target = source x factor + offset."""

    factor: Decimal
    offset: Decimal
    holds: tuple[Decimal, Decimal] | None = None
    """Between which numbers of the source, where others are of another unit than they say; None for all."""
    flags: tuple[str, ...] = ()
    """What is noticed where it is used."""

    def of(self, value: Decimal) -> Decimal:
        """The value in the target unit, to ten significant digits (the factor has no more)."""
        return _DIGITS.create_decimal(value * self.factor + self.offset)


class UnitRow(NamedTuple):
    """In which unit a code's values leave, and which are plausible."""

    unit: str
    low: Decimal
    high: Decimal
    scales: Mapping[str, Conversion]
    """How values in other units turn into `unit` for this code alone: ratios, and HbA1c of two reference systems."""


SAME = Conversion(Decimal(1), Decimal(0))
ANOTHERS = Conversion(Decimal(0), Decimal(0))
"""Of numbers in a unit of another quantity than the code's, as a percentile is under the code of a body mass index: none can be turned."""


class UnitFault(Exception):
    """A unit that cannot be used; carries no text of the source."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@cache
def unit_table() -> dict[str, UnitRow]:
    """`units.csv` by LOINC code."""
    scales = _scales()
    return {
        row["code"]: UnitRow(row["unit"], Decimal(row["low"]), Decimal(row["high"]), scales[row["code"]])
        for row in _rows("units.csv")
    }


def _scales() -> defaultdict[str, dict[str, Conversion]]:
    """`scales.csv`: code → unit → how its values turn into the code's unit; without a factor they are another quantity's."""
    found: defaultdict[str, dict[str, Conversion]] = defaultdict(dict)
    for row in _rows("scales.csv"):
        if not row["factor"]:
            found[row["code"]][row["from"]] = ANOTHERS
            continue
        holds = (Decimal(row["least"]), Decimal(row["most"])) if row["least"] else None
        flags = ("moles-to-mass",) if holds and row["from"].endswith("mol/L") else ()
        found[row["code"]][row["from"]] = Conversion(Decimal(row["factor"]), Decimal(row["offset"]), holds, flags)
    return found


def _rows(name: str) -> list[dict[str, str]]:
    with files("transforms.codes").joinpath(name).open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


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
    """Whether a string is a UCUM unit by its grammar, which takes digits and single words, too: what leaves is `is_listed`."""
    if is_listed(unit):
        return True
    if not _ASCII.fullmatch(unit):
        return False
    from lark.exceptions import LarkError

    try:
        _parser()(unit)
    except (LarkError, ValueError, RecursionError):
        return False
    return True


def without_annotations(unit: str) -> str:
    """`{beats}/min` is `/min`: UCUM's braces carry no meaning."""
    bare = _ANNOTATION.sub("", unit).replace("1/", "/") if "{" in unit or unit.startswith("1/") else unit
    return bare or "1"


def turned(source: str, row: UnitRow) -> Conversion:
    """How to turn values in `source` into those of a code. Raises UnitFault as `conversion` does."""
    scale = row.scales.get(without_annotations(source))
    if scale is None:
        return conversion(source, row.unit)
    return SAME if scale == SAME else scale


def conversion(source: str, target: str) -> Conversion:
    """How to turn values in `source` into `target`.

    Raises UnitFault: UNKNOWN_UNIT where `source` is no UCUM unit, UNIT_MISMATCH where it measures something else.
    """
    bare, wanted = without_annotations(source), without_annotations(target)
    if _ENZYME_UNIT.sub("U", bare) == _ENZYME_UNIT.sub("U", wanted):
        return SAME  # an enzyme's international unit is UCUM's U; of hormones and vitamins nobody writes the one for the other
    if (bare, wanted) in _EXACT:
        return Conversion(*_EXACT[bare, wanted])
    if not is_ucum(source):
        raise UnitFault(Reason.UNKNOWN_UNIT)
    if bare in _RATIOS or wanted in _RATIOS:
        # Arithmetic would turn HbA1c's IFCC mmol/mol into NGSP % ten times too small: ratios are turned by `scales.csv`.
        raise UnitFault(Reason.UNIT_MISMATCH)
    return _measured(_ENZYME_UNIT.sub("U", source), _ENZYME_UNIT.sub("U", target))


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
