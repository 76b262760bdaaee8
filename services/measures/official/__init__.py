"""The published measures, a file each, found by file name: `definition(edition)` declares the measure of a year.

Each says what its published logic says, as it stands, oddities included. The value sets it names come from outside. Where what is
published speaks of records that the stream does not hold, `differs` says so.
"""

from dataclasses import replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from schemas.errors import OperatorError
from services.measures.declared import Definition
from services.measures.language.moments import Lies, WithinDays
from services.measures.language.nodes import made_anew
from services.measures.official.editions import EDITIONS

_NO_MEASURES = ("common", "editions")
OF_SECONDS = (
    "A time without fractions of a second is the beginning of its second; as published nobody knows when in it, which tells in the first "
    "and the last second of a year alone."
)


@cache
def names() -> tuple[str, ...]:
    """The measures' ids: `CMS165`."""
    return tuple(module.name.upper() for module in iter_modules(__path__) if module.name not in _NO_MEASURES)


def definition(measure: str, year: int) -> Definition:
    """The measure of a measurement year. Raises `OperatorError` where there is no such measure or year."""
    if measure.upper() not in names():
        raise OperatorError(
            f"no measure '{measure}'",
            f"Give one of {', '.join(names())}, or of the network's own, as `mainstem measures list` names them.",
        )
    if year not in EDITIONS:
        raise OperatorError(f"no measurement year {year}", f"Give one of {', '.join(map(str, EDITIONS))}.")
    declared: Definition = import_module(f"{__name__}.{measure.lower()}").definition(EDITIONS[year])
    return made_anew(replace(declared, differs=(*declared.differs, OF_SECONDS)), _as_stated)


def _as_stated(part: Any) -> Any:
    """Days as CQL compares them: by what a date states."""
    return replace(part, by="stated") if isinstance(part, Lies | WithinDays) and part.by == "day" else part
