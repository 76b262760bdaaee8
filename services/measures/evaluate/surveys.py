"""All that a page shows of a measure, from one evaluation: counts by site, period and stratum, the cohorts, the last visit.

Sites are surveyed all at once or one alone, and put together again: what all sites have is the sum of what each has.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, Table, func, select

from services.measures.compile.memory import Period
from services.measures.declared import Measure
from services.measures.evaluate.counts import NETWORK, Cohort, Counts, cohorts_of, counts_of, last_visits_of, leveled
from services.measures.evaluate.scripts import Tables, tables_of_all
from services.registry.one_site import seeing_one_site

SHOWN, YEAR = "shown", "year"
"""The time of which the cohort is told, and the one that is told by strata; beside the periods of the chart."""
Values = Mapping[float, int]
"""Each number there is, and how often: from these, and from nothing less, sites give a median together."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted to know."""

    periods: Mapping[str, Period]
    shown: Period
    year: Period | None = None
    """None: nothing is told by strata."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What one site has of a measure."""

    site: str
    counts: tuple[Counts, ...] = ()
    values: Mapping[str, Values] = field(default_factory=dict)
    """By period, of a level that is drawn as a median."""
    strata: Mapping[str, tuple[Counts, ...]] = field(default_factory=dict)
    cohort: Cohort | None = None
    last: str | None = None
    """The local date of the last visit of its cohort in the time shown."""


def surveys(connection: Connection, measure: Measure, asked: Asked, *, site: str | None = None) -> dict[str, Survey]:
    """By site, those that have anybody; of one site alone, where it is named."""
    return surveys_of_all(connection, [measure], asked, site=site)[measure.id]


def surveys_of_all(
    connection: Connection, measures: Sequence[Measure], asked: Asked, *, site: str | None = None
) -> dict[str, dict[str, Survey]]:
    """The same of several measures, by their ids: what is alike in them is found once."""
    extra = {SHOWN: asked.shown, **({YEAR: asked.year} if asked.year else {})}
    seen = seeing_one_site(connection, site) if site is not None else nullcontext()
    with seen, tables_of_all(connection, measures, {**asked.periods, **extra}) as tables:
        return {each.id: _surveys(connection, each, asked, tables[each.id]) for each in measures}


def _surveys(connection: Connection, measure: Measure, asked: Asked, tables: Tables) -> dict[str, Survey]:
    counts = _by_site(counts_of(connection, tables.units, measure, among=list(asked.periods), apart=True))
    values = _values(connection, tables.units) if measure.chart == "i" else {}
    strata = {
        name: _by_site(counts_of(connection, tables.units, measure, name, among=[YEAR], apart=True))
        for name in (measure.strata if asked.year and measure.kind == "share" else ())
    }
    cohorts = {each.site: each for each in cohorts_of(connection, tables, measure, asked.shown, among=SHOWN)}
    last = last_visits_of(connection, tables.cohort, asked.shown.known.isoformat())
    return {
        name: Survey(
            name,
            tuple(counts.get(name, ())),
            values.get(name, {}),
            {by: tuple(found.get(name, ())) for by, found in strata.items()},
            cohorts.get(name),
            last.get(name),
        )
        for name in sorted({*counts, *cohorts, *(each for found in strata.values() for each in found)})
    }


def _by_site(counts: Iterable[Counts]) -> dict[str, list[Counts]]:
    found: dict[str, list[Counts]] = defaultdict(list)
    for each in counts:
        found[each.site].append(each)
    return found


def _values(connection: Connection, units: Table) -> dict[str, dict[str, dict[float, int]]]:
    """By site and period, of those that a level is of."""
    key = (units.c.site, units.c.period, units.c.value)
    found: dict[str, dict[str, dict[float, int]]] = defaultdict(lambda: defaultdict(dict))
    for site, period, value, count in connection.execute(
        select(*key, func.count()).where(leveled(units)).group_by(*key)
    ):
        found[site][period][value] = count
    return found


def together(found: Iterable[Survey]) -> list[Counts]:
    """The network's counts, by period."""
    counts: dict[str, list[Counts]] = defaultdict(list)
    values: dict[str, Counter[float]] = defaultdict(Counter)
    for survey in found:
        for each in survey.counts:
            counts[each.period].append(each)
        for period, of_site in survey.values.items():
            values[period].update(of_site)
    return [_sum(of_period, _median(values[period])) for period, of_period in sorted(counts.items())]


def strata_together(found: Iterable[Survey], by: str) -> list[Counts]:
    """The network's, by stratum."""
    counts: dict[str | None, list[Counts]] = defaultdict(list)
    for survey in found:
        for each in survey.strata.get(by, ()):
            counts[each.stratum].append(each)
    return [_sum(of_stratum, None) for of_stratum in counts.values()]


def _sum(counts: Sequence[Counts], median: float | None) -> Counts:
    levels = [(each.measured, each.mean, each.spread or 0.0) for each in counts if each.mean is not None]
    measured = sum(n for n, _, _ in levels)
    mean = sum(n * level for n, level, _ in levels) / measured if measured else None
    squares = sum((n - 1) * spread**2 + n * (level - (mean or 0.0)) ** 2 for n, level, spread in levels)
    added = {name: sum(getattr(each, name) for each in counts) for name in ADDED}
    spread = (squares / (measured - 1)) ** 0.5 if measured > 1 else None
    return replace(counts[0], site=NETWORK, **added, mean=mean, spread=spread, median=median)


ADDED = ("seen", "measured", "met", "unknown", "excluded", "excepted", "aside", "events", "days")


def _median(values: Values) -> float | None:
    """The middle number, or the mean of the two in the middle."""
    total = sum(values.values())
    return (_nth(values, (total + 1) // 2) + _nth(values, total // 2 + 1)) / 2 if total else None


def _nth(values: Values, place: int) -> float:
    """The number at a place from 1, in their order."""
    passed = 0
    for value in sorted(values):
        passed += values[value]
        if passed >= place:
            return value
    raise ValueError(f"{place} of {passed}")
