"""What is kept of whom: the network's measures of some months, published measures of a year."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import reduce
from operator import add

from schemas.errors import OperatorError
from services.measures.compile.asked import fields_asked
from services.measures.compile.memory import Period
from services.measures.compile.people import Person
from services.measures.declared import Measure
from services.measures.evaluate.groups import group_of
from services.measures.evaluate.persons import Standings
from services.measures.keeping.standing import NOTHING, Belongs, Counted, Plan, Stands, official
from services.measures.official import definition, names
from services.measures.valuesets import ValueSets


def network_plan(wanted: Iterable[Measure], named: Mapping[str, Period]) -> Plan:
    """The network's measures of some periods, by their names."""
    measures = tuple(wanted)
    standings = Standings(measures, named)

    def evaluate(person: Person) -> Iterator[Stands]:
        for one in standings.of(person):
            numbers = (one.value, one.events, one.days)
            yield Stands(one.measure, one.version, one.period, 1, one.event or "", one.populations, *numbers)

    kinds = sorted({kind for measure in measures for kind in measure.strata})
    day = max((period.known for period in named.values()), default=date.min).isoformat()

    def groups(person: Person) -> Iterator[Belongs]:
        return (Belongs("", kind, group_of(person, kind, day)) for kind in kinds)

    counted = tuple(one for measure in measures for one in _counted(measure, named))
    return Plan(counted, (evaluate,), (groups,))


def _counted(measure: Measure, named: Mapping[str, Period]) -> Iterator[Counted]:
    fields = fields_asked(*measure.parts)
    for name, period in named.items():
        yield _counted_in(measure, fields, name, period)


def _counted_in(measure: Measure, fields: frozenset[str], name: str, period: Period) -> Counted:
    bounds = (period.first.isoformat(), period.last.isoformat())
    return Counted(
        measure.id,
        measure.version,
        name,
        *bounds,
        tuple(measure.truths),
        measure.records,
        measure.checksum,
        fields,
        measure.kind,
        strata=measure.strata,
    )


def official_plan(year: int, valuesets: ValueSets, wanted: Iterable[str] = ()) -> Plan:
    """The published measures of a year, all or those named. Raises OperatorError where a value set is missing."""
    chosen = list(wanted) or list(names())
    if unknown := [name for name in chosen if name not in names()]:
        raise OperatorError(f"there is no measure {unknown[0]}", f"There are {', '.join(names())}.")
    period = Period(date(year, 1, 1), date(year, 12, 31))
    return reduce(add, (official(definition(name, year), str(year), period, valuesets) for name in chosen), NOTHING)
