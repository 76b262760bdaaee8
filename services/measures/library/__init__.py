"""The measures, found by file name: each file holds one `MEASURE`."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from services.measures.measure import Measure


@cache
def measures() -> dict[str, Measure]:
    """Every measure by its slug."""
    found = [import_module(f"{__name__}.{module.name}").MEASURE for module in iter_modules(__path__)]
    return {measure.slug: measure for measure in found}
