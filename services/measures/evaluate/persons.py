"""Given persons against given measures, in memory: a pure function of their records, with no database, clock or network.

For a consumer that keeps results up to date, person by person:

    persons = persons_of(connection, subjects)            # compile/from_registry, or Person(records) of records at hand
    for standing in standings(measures().values(), persons, periods("month", "2024-01", "2026-11-20")):
        standing.measure, standing.version, standing.period, standing.site, standing.subject
        standing.populations      # {"initial-population": True, "denominator": …, "set-aside": …, "unknown": …}

Of each person come only the periods in which they count, or may: a person who has none of a measure's events in a period, or is not of
the cohort without which nobody counts, has no standing there, so what a store holds of that person, measure and period is to be taken away. Where a person's records change, all
standings of that person are to be made anew; no other person's change by it. Names of populations are the codes of FHIR's
measure-population, and `set-aside` (excluded by the site for a time) and `unknown` (it cannot be said whether the person belongs
to the initial population). Compiled measures are kept: ask `Standings` again rather than making it anew for every person.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from services.measures.compile.coded import Events
from services.measures.compile.memory import InMemory, Period
from services.measures.compile.people import Person, Record
from services.measures.compile.reasons import Reasoning, reason
from services.measures.declared import Measure
from services.measures.language.truths import Named
from services.measures.valuesets import NONE, ValueSets


class Standing(NamedTuple):
    """One person, or one of their events, in one measure and period."""

    measure: str
    version: str
    period: str
    site: str
    subject: str
    event: str | None
    """The record's id, of a measure that counts events."""
    populations: Mapping[str, bool]
    value: float | None = None
    """Of a level: the number of somebody who is scored."""
    events: int | None = None
    """Of a rate: how many events, of somebody in the initial population."""
    days: int | None = None
    """Of a rate: days in which they could happen; none where they cannot be told."""
    why: tuple[Reasoning, ...] = ()
    """Where it was asked for: each condition, its steps, and the records it stands on."""


class Standings:
    """Measures for some periods, compiled once."""

    def __init__(
        self,
        measures: Iterable[Measure],
        periods: Mapping[str, Period],
        valuesets: ValueSets = NONE,
        *,
        why: bool = False,
    ) -> None:
        evaluators: dict[str, InMemory] = {}
        for name, period in periods.items():
            evaluators[name] = InMemory(period, valuesets, next(iter(evaluators.values()), None))
        self._compiled = [
            (_whose(measure, evaluators, why), _by_period(measure, evaluators, why)) for measure in measures
        ]

    def of(self, person: Person) -> Iterator[Standing]:
        """Every standing of a person, by measure and period; none of somebody outside the cohort to which a measure is confined, unless it
        was asked why."""
        for whose, by_period in self._compiled:
            for compiled in by_period if whose is None or whose(person) else ():
                yield from compiled.standings(person)


def _whose(measure: Measure, evaluators: Mapping[str, InMemory], why: bool) -> Events | None:
    """The events without one of which somebody stands in no period; none: anybody may."""
    if why or measure.confined_to is None or not evaluators:
        return None
    return next(iter(evaluators.values())).events(measure.confined_to)


def _by_period(measure: Measure, evaluators: Mapping[str, InMemory], why: bool) -> list["Compiled"]:
    return [Compiled(measure, name, evaluator, why) for name, evaluator in evaluators.items()]


def standings(
    measures: Iterable[Measure],
    persons: Iterable[Person],
    periods: Mapping[str, Period],
    valuesets: ValueSets = NONE,
    *,
    why: bool = False,
) -> Iterator[Standing]:
    """Every standing of some persons. Persons of several sites are apart: a subject is of one site."""
    compiled = Standings(measures, periods, valuesets, why=why)
    for person in persons:
        yield from compiled.of(person)


class Compiled:
    """One measure for one period."""

    def __init__(self, measure: Measure, period: str, evaluator: InMemory, why: bool = False) -> None:
        self._measure, self._period, self._evaluator, self._why = measure, period, evaluator, why
        self._among = evaluator.events(measure.among)
        self._decide = evaluator.decided(measure.truths)
        self._number = None if measure.value is None else evaluator.number(measure.value)
        self._counted = None if measure.events is None else evaluator.events(measure.events)
        self._days = None if measure.time is None else evaluator.days(measure.time)

    def standings(self, person: Person) -> Iterator[Standing]:
        """One for the person, or one for each of the events; none where nothing of the period makes them count."""
        events = self._among(person)
        if not events:
            return
        if self._measure.per == "event":
            for event in events:
                yield self._standing(person, event)
        else:
            yield self._standing(person, None)

    def _standing(self, person: Person, event: Record | None) -> Standing:
        answers = self._decide(person, event)
        counted = answers["initial-population"]
        return Standing(
            self._measure.id,
            self._measure.version,
            self._period,
            person.site,
            person.subject,
            str(event["id"]) if event else None,
            answers,
            self._value(person) if _scored(answers) else None,
            len(self._counted(person)) if counted and self._counted else None,
            self._days(person) if counted and self._days else None,
            self._reasons(person, event) if self._why else (),
        )

    def _value(self, person: Person) -> float | None:
        number = self._number(person) if self._number else None
        return None if number is None else float(number)

    def _reasons(self, person: Person, event: Record | None) -> tuple[Reasoning, ...]:
        conditions: list[Named] = [*self._measure.who.named().values(), self._measure.aside]
        return tuple(reason(self._evaluator, each, person, event) for each in conditions)


def _scored(answers: Mapping[str, bool]) -> bool:
    left = answers["denominator-exclusion"] or answers.get("denominator-exception", False)
    return answers["denominator"] and not left
