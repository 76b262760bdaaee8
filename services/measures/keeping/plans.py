"""What is kept of whom: published measures of a year."""

from collections.abc import Iterable
from datetime import date
from functools import reduce
from operator import add

from schemas.errors import OperatorError
from services.measures.compile.memory import Period
from services.measures.keeping.standing import NOTHING, Plan, official
from services.measures.official import definition, names
from services.measures.valuesets import ValueSets


def official_plan(year: int, valuesets: ValueSets, wanted: Iterable[str] = ()) -> Plan:
    """The published measures of a year, all or those named. Raises OperatorError where a value set is missing."""
    chosen = list(wanted) or list(names())
    if unknown := [name for name in chosen if name not in names()]:
        raise OperatorError(f"there is no measure {unknown[0]}", f"There are {', '.join(names())}.")
    period = Period(date(year, 1, 1), date(year, 12, 31))
    return reduce(add, (official(definition(name, year), str(year), period, valuesets) for name in chosen), NOTHING)
