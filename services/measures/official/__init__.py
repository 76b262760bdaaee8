"""The published measures, a file each, found by file name: `definition(edition)` declares the measure of a year.

Each says what its published logic says, as it stands, oddities included. The value sets it names come from outside.
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from schemas.errors import OperatorError
from services.measures.declared import Definition
from services.measures.official.editions import EDITIONS

_NO_MEASURES = ("common", "editions")


@cache
def names() -> tuple[str, ...]:
    """The measures' ids: `CMS165`."""
    return tuple(module.name.upper() for module in iter_modules(__path__) if module.name not in _NO_MEASURES)


def definition(measure: str, year: int) -> Definition:
    """The measure of a measurement year. Raises `OperatorError` where there is no such measure or year."""
    if measure.upper() not in names():
        raise OperatorError(f"no measure '{measure}'", f"Give one of {', '.join(names())}.")
    if year not in EDITIONS:
        raise OperatorError(f"no measurement year {year}", f"Give one of {', '.join(map(str, EDITIONS))}.")
    declared: Definition = import_module(f"{__name__}.{measure.lower()}").definition(EDITIONS[year])
    return declared
