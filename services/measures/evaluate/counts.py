"""A measure counted over the registry's tables: set-based SQL that PostgreSQL and SQLite both understand.

One function for every kind of measure, period and site: what the pages draw, and what `mainstem measures run` prints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, case, func, literal, null, or_, select

from schemas.outcomes import CORE_TYPES, MAPPED_TYPES, fhir_types_of
from services.measures.compile.memory import Period
from services.measures.compile.sql_tables import STRATA, TABLES
from services.measures.declared import Measure
from services.measures.evaluate.scripts import Tables, tables_of
from services.measures.language.vocabulary import NOT_SEEN
from services.measures.valuesets import NONE, ValueSets

NETWORK = ""
"""In the place of a site: all sites together."""
MADE_OF = {"derived_observation": ("Observation",), "disease_assessment": ("Observation",)}
"""FHIR types of which records are made that no FHIR type becomes."""


@dataclass(frozen=True, slots=True)
class Counts:
    """One site (or the network) and period of a measure, in persons or events: met ≤ measured ≤ seen."""

    site: str
    period: str
    seen: int
    """Of the initial population: without those excluded, excepted or set aside."""
    measured: int
    """Of these, whose outcome is known: what a share or a level is of."""
    met: int
    """Of a share: who reached it."""
    unknown: int = 0
    """Of whom it cannot be said whether they belong to it."""
    excluded: int = 0
    excepted: int = 0
    aside: int = 0
    """Set aside by their site for a time."""
    events: int = 0
    """Of a rate."""
    days: int = 0
    """Of a rate: of one person."""
    mean: float | None = None
    """Of a level."""
    spread: float | None = None
    """Of a level: the standard deviation; of one number there is none."""
    median: float | None = None
    """Of a level."""
    stratum: str | None = None
    """Where it was asked for one: what is known of them; none where nothing is."""

    @property
    def unmeasured(self) -> int:
        """Seen, and the outcome unknown."""
        return self.seen - self.measured


@dataclass(frozen=True, slots=True)
class Cohort:
    """Whose measure it is at one site, of any age."""

    site: str
    patients: int
    without_birth_date: int
    never_seen: int
    """None of the events of the time shown."""
    aside: Mapping[str, int]
    """Set aside by the site at the end of the time shown, by the coded reason."""


def evaluate(
    connection: Connection,
    measure: Measure,
    periods: Mapping[str, Period],
    valuesets: ValueSets = NONE,
    *,
    by: str | None = None,
) -> list[Counts]:
    """Counts of each site and period, and of the network (`NETWORK`), by site and period; by strata of one of `STRATA` too."""
    with tables_of(connection, measure, periods, valuesets) as tables:
        return counts_of(connection, tables.units, measure, by)


def members(connection: Connection, measure: Measure, periods: Mapping[str, Period]) -> dict[str, list[dict[str, Any]]]:
    """By period everybody who stands in it, or each of their events: site, subject, the measure's truths, and its numbers."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in periods}
    with tables_of(connection, measure, periods) as (units, _):
        own = [units.c[name] for name in ("site", "subject", *measure.truths, "value", "events", "days")]
        query = select(units.c.period, *own).order_by(units.c.period, units.c.site, units.c.subject, units.c.event)
        for row in connection.execute(query).mappings():
            found[row["period"]].append({column.name: row[column.name] for column in own})
    return found


def counts_of(
    connection: Connection,
    units: Table,
    measure: Measure,
    by: str | None = None,
    *,
    among: Sequence[str] = (),
    apart: bool = False,
) -> list[Counts]:
    """The counts of a table of units; `among`: of these periods alone; `apart`: of each site, not of all together."""
    if by is not None and by not in STRATA:
        raise ValueError(f"no stratum '{by}': {', '.join(STRATA)}")
    stratum = (units.c[by] if by else null()).label("stratum")
    found: list[Counts] = []
    for site in (units.c.site,) if apart else (literal(NETWORK).label("site"), units.c.site):
        medians = _medians(connection, units, site, stratum, measure)
        key = (site, units.c.period, stratum)
        query = select(*key, *_columns(units, measure)).group_by(*([units.c.site] if site is units.c.site else []))
        query = query.group_by(units.c.period, *([units.c[by]] if by else []))
        query = query.where(units.c.period.in_(among)) if among else query
        for row in connection.execute(query).mappings():
            found.append(_counted(dict(row), medians))
    return sorted(found, key=lambda each: (each.site, each.period, each.stratum or ""))


def _counted(row: dict[str, Any], medians: Mapping[tuple[Any, ...], float]) -> Counts:
    """The standard deviation from the sum of squares about a number near the mean, so that nothing cancels out."""
    measured, about, squares = row["measured"], row.pop("about"), row.pop("squares")
    if row["mean"] is not None and measured > 1:
        off = row["mean"] - about
        row["spread"] = max(0.0, (squares - measured * off * off) / (measured - 1)) ** 0.5
    row["median"] = medians.get((row["site"], row["period"], row["stratum"]))
    return Counts(**row)


def _columns(units: Table, measure: Measure) -> list[Any]:
    def so(name: str) -> Any:
        return units.c[name] == 1 if name in units.c else literal(1) == literal(0)

    def count(condition: Any) -> Any:
        return func.count(case((condition, 1)))

    left = or_(so("denominator-exclusion"), so("denominator-exception"))
    inside, scored = and_(so("initial-population"), ~left), and_(so("denominator"), ~left)
    if measure.kind == "rate":
        scored = and_(inside, units.c.days.is_not(None))
    elif measure.kind == "level":
        scored = and_(scored, units.c.value.is_not(None))
    value = case((scored, units.c.value))
    about = ABOUT if measure.kind == "level" else 0.0
    return [
        count(inside).label("seen"),
        count(scored).label("measured"),
        count(and_(scored, so("numerator"))).label("met"),
        count(so("unknown")).label("unknown"),
        count(so("denominator-exclusion")).label("excluded"),
        count(so("denominator-exception")).label("excepted"),
        count(so("set-aside")).label("aside"),
        func.coalesce(func.sum(case((scored, units.c.events))), 0).label("events"),
        func.coalesce(func.sum(case((scored, units.c.days))), 0).label("days"),
        func.avg(value).label("mean"),
        literal(about).label("about"),
        func.sum((value - about) * (value - about)).label("squares"),
    ]


ABOUT = 50.0
"""Levels are percentages and scores: near enough to every mean."""


def _medians(
    connection: Connection, units: Table, site: Any, stratum: Any, measure: Measure
) -> dict[tuple[Any, ...], float]:
    """By site, period and stratum: the middle number, or the mean of the two in the middle."""
    if measure.kind != "level":
        return {}
    key = [units.c.period, *([units.c.site] if site is units.c.site else [])]
    if stratum.element is not None and stratum.element.key in STRATA:
        key.append(units.c[stratum.element.key])
    nth = func.row_number().over(partition_by=key, order_by=[units.c.value]).label("nth")
    size = func.count().over(partition_by=key).label("size")
    ranked = select(site, units.c.period, stratum, units.c.value, nth, size).where(leveled(units)).subquery()
    twice = 2 * ranked.c.nth
    middle = and_(twice >= ranked.c.size, twice <= ranked.c.size + 2)
    own = (ranked.c.site, ranked.c.period, ranked.c.stratum)
    query = select(*own, func.avg(ranked.c.value)).where(middle).group_by(*own)
    return {(row[0], row[1], row[2]): row[3] for row in connection.execute(query)}


def leveled(units: Table) -> ColumnElement[bool]:
    """Of a table of units those that a level is of."""
    return and_(units.c.denominator == 1, units.c["denominator-exclusion"] == 0, units.c.value.is_not(None))


def cohorts(connection: Connection, measure: Measure, period: Period, valuesets: ValueSets = NONE) -> list[Cohort]:
    """Whose measure it is, by site; `period`: the time shown."""
    with tables_of(connection, measure, {"shown": period}, valuesets) as tables:
        return cohorts_of(connection, tables, measure, period)


def cohorts_of(
    connection: Connection, tables: Tables, measure: Measure, period: Period, *, among: str = "shown"
) -> list[Cohort]:
    """The same of a measure's tables; `among`: what the time shown is called there."""
    seen, whose = tables
    visited = select(seen.c.site, seen.c.subject).where(seen.c.period == among).distinct().subquery()
    of = and_(visited.c.subject == whose.c.subject, visited.c.site == whose.c.site)
    query = (
        select(
            whose.c.site,
            func.count().label("patients"),
            func.count(case((whose.c.birth_first.is_(None), 1))).label("without_birth_date"),
            func.count(case((visited.c.subject.is_(None), 1))).label("never_seen"),
        )
        .select_from(whose.outerjoin(visited, of))
        .group_by(whose.c.site)
        .order_by(whose.c.site)
    )
    aside = _aside(connection, whose, measure, period)
    return [Cohort(**row, aside=aside.get(row["site"], {})) for row in connection.execute(query).mappings()]


def _aside(connection: Connection, whose: Table, measure: Measure, period: Period) -> dict[str, dict[str, int]]:
    held, day = TABLES["set_aside"], period.known.isoformat()
    query = (
        select(held.c.site, held.c.reason, func.count(held.c.subject.distinct()))
        .join(whose, and_(whose.c.subject == held.c.subject, whose.c.site == held.c.site))
        .where(held.c.measure == measure.id, held.c.since_date <= day, held.c.until_date >= day)
        .group_by(held.c.site, held.c.reason)
        .order_by(held.c.site, held.c.reason)
    )
    found: dict[str, dict[str, int]] = {}
    for site, reason, count in connection.execute(query):
        found.setdefault(site, {})[reason] = count
    return found


def last_visits_of(connection: Connection, whose: Table, until: str) -> dict[str, str]:
    """By site the local date of the last visit of its cohort up to the date `until`."""
    visit = TABLES["encounter"]
    query = (
        select(visit.c.site, func.max(visit.c.start_date))
        .join(whose, and_(whose.c.subject == visit.c.subject, whose.c.site == visit.c.site))
        .where(visit.c.start_date <= until, func.coalesce(visit.c.status, "").not_in(NOT_SEEN))
        .group_by(visit.c.site)
    )
    return {site: day for site, day in connection.execute(query) if day}


def needed_types(measure: Measure) -> tuple[str, ...]:
    """FHIR resource types that a site must have loaded for a count to be known. An Appointment is no visit: a site may have none."""
    named = {"Patient"}
    for record in measure.records:
        named |= {*MADE_OF.get(record, fhir_types_of(record)[:1])}
    return tuple(each for each in MAPPED_TYPES if each in named & CORE_TYPES)
