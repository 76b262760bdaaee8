"""The network's measures on the command line: listed, shown in words, counted by period, explained for one person, somebody set aside."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from schemas.errors import OperatorError
from services.measures.compile.words import Step, definition_of
from services.measures.evaluate.counts import NETWORK, evaluate, members
from services.measures.evaluate.periods import MONTHS, periods
from services.measures.evaluate.persons import standings
from services.measures.evaluate.sentences import value_of
from services.measures.keeping.counted import kept_counts
from services.measures.library import faults, measures
from services.measures.report import reports_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from services.measures.compile.memory import Period
    from services.measures.compile.people import Person
    from services.measures.declared import Measure

SHOWN = ("site", "period", "stratum", "seen", "measured", "unknown", "excluded", "excepted", "aside")
OF_KIND = {"share": ("met",), "rate": ("events", "days"), "level": ("mean", "spread", "median")}
"""What is counted of each kind of measure besides."""

__all__ = ["counted", "explained", "faults", "listed", "own_measure", "reported", "shown"]


def own_measure(name: str) -> "Measure | None":
    """A measure of the network by its id, or by its name in addresses; none where it is none of the network's."""
    return measures().get(name.replace("-", "").lower())


def listed() -> Iterator[dict[str, Any]]:
    """Each measure with what can be cited."""
    for one in measures().values():
        yield {
            "id": one.id,
            "title": one.title,
            "version": one.version,
            "checksum": one.checksum,
            "direction": one.direction,
            "says": one.question,
            "code_sets": [
                {"id": each.id, "version": each.version, "checksum": each.checksum} for each in one.code_sets
            ],
        }


def shown(measure: "Measure") -> Iterator[str]:
    """A definition in words, made from what is evaluated."""
    yield f"{measure.id} version {measure.version}: {measure.title}"
    yield measure.question
    yield measure.rationale
    for heading, steps in definition_of(measure):
        yield heading
        yield from _indented(steps, 1)
    yield f"Not measured: {measure.unknown}"
    yield f"Where somebody counts: {measure.attribution}"
    yield f"Better: {'higher' if measure.higher_is_better else 'lower'}; target {measure.target}; chart {measure.chart}"
    for source in measure.sources:
        yield f"source: {source}"
    for each in measure.code_sets:
        yield f"code set: {each.id} version {each.version}, SHA-256 {each.checksum}"
    for change in measure.changes:
        follows = f" (proposal {change.proposal})" if change.proposal else ""
        yield f"version {change.version}, since {change.since}: {change.what}{follows}"
    yield f"owner: {measure.owner}; definition SHA-256 {measure.checksum}"


def _indented(steps: "tuple[Step, ...] | list[Step]", depth: int) -> Iterator[str]:
    for step in steps:
        yield f"{'  ' * depth}{step.text}"
        yield from _indented(step.below, depth + 1)


def counted(
    connection: "Connection", measure: "Measure", by: str, year: int, stratum: str | None
) -> list[dict[str, Any]]:
    """Its counts in a year by month, quarter or year: of the network, then of each site; from what is kept, where that is up to date."""
    shown_periods = _periods(by, year)
    if stratum is not None and stratum not in measure.strata:
        raise OperatorError(f"no stratum '{stratum}' of {measure.id}", f"Give one of {', '.join(measure.strata)}.")
    kept = None if stratum else kept_counts(connection, measure, shown_periods)
    found = evaluate(connection, measure, shown_periods, by=stratum) if kept is None else kept
    return [
        {"measure": measure.id, "version": measure.version}
        | {name: value for name, value in asdict(each).items() if name in (*SHOWN, *OF_KIND[measure.kind])}
        | {"site": each.site or "network", "value": value_of(measure, each)}
        for each in sorted(found, key=lambda each: (each.site != NETWORK, each.site, each.period))
    ]


def reported(connection: "Connection", measure: "Measure", by: str, year: int, kind: Any) -> Iterator[dict[str, Any]]:
    """FHIR MeasureReports, one after the other, of a year's months, quarters or of the year."""
    shown_periods, now = _periods(by, year), datetime.now(UTC).isoformat(timespec="seconds")
    for name, everybody in members(connection, measure, shown_periods).items():
        yield from reports_of(measure, shown_periods[name], now, everybody, kind)


def _periods(by: str, year: int) -> "dict[str, Period]":
    if by not in MONTHS:
        raise OperatorError(f"no period '{by}'", f"Give one of {', '.join(MONTHS)}.")
    until = min(f"{year}-12-31", datetime.now(UTC).date().isoformat())
    return periods(by, f"{year}-01", until)  # type: ignore[arg-type]


def explained(measure: "Measure", person: "Person", month: str | None, year: int) -> Iterator[str]:
    """Why a person is in or out in a month, or in each month of a year in which anything makes them count."""
    first, last = (month, f"{month}-28") if month else (f"{year}-01", f"{year}-12-31")
    count = 0
    for standing in standings([measure], [person], periods("month", first, last), why=True):
        count += 1
        yield f"{standing.period}{f', {standing.event}' if standing.event else ''}"
        for reason in standing.why:
            yield from reason.lines(1)
    if not count:
        yield "in none of these months: nothing that makes anybody count"
