"""Published cases of a measure against its definition: one folder a case, expected counts by population."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from schemas.errors import OperatorError
from services.measures.compile.memory import InMemory
from services.measures.compile.people import Person, Record
from services.measures.declared import Definition

Counted = dict[str, int]
"""Counts by the codes of FHIR's measure-population."""
Mapped = Callable[[Path], Iterable[Record]]
"""From one case's FHIR resources to its current records."""


class Difference(NamedTuple):
    """One population of a case that came out otherwise."""

    case: str
    group: int
    population: str
    expected: int
    got: int


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of the cases."""

    measure: str
    year: int
    cases: tuple[str, ...]
    differences: tuple[Difference, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """Cases with a difference."""
        return tuple(dict.fromkeys(each.case for each in self.differences))

    def as_json(self) -> dict[str, Any]:
        """The result for machines."""
        return {
            "measure": self.measure,
            "year": self.year,
            "cases": len(self.cases),
            "passed": len(self.cases) - len(self.failed),
            "failed": [difference._asdict() for difference in self.differences],
        }


class Case(NamedTuple):
    """A published case: its resources, and what is expected of each group."""

    name: str
    resources: Path
    expected: list[Counted]


def read_cases(folder: Path) -> list[Case]:
    """The cases of a folder with an `expected.json`.

    Raises `OperatorError` where that file or a case's `bundle.ndjson` is missing or does not say what it must.
    """
    path = folder / "expected.json"
    try:
        expected = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as problem:
        raise OperatorError(
            f"{path}: not readable as JSON", "Give the folder that holds the cases and their expected.json."
        ) from problem
    if not isinstance(expected, Mapping) or not expected:
        raise OperatorError(f"{path}: no cases in it", 'Write {"case": {"initial-population": 1, …}, …}.')
    return [_case(folder, str(name), groups) for name, groups in sorted(expected.items())]


def _case(folder: Path, name: str, groups: Any) -> Case:
    resources = folder / name / "bundle.ndjson"
    inside = Path(name).name == name and resources.resolve().is_relative_to(folder.resolve())
    if not inside or not resources.is_file():
        raise OperatorError(f"{resources}: not there", "Each case of expected.json is a folder with a bundle.ndjson.")
    listed = groups if isinstance(groups, list) else [groups]
    if not all(isinstance(group, dict) and all(isinstance(n, int) for n in group.values()) for group in listed):
        raise OperatorError(f"expected.json: {name} has no counts by population", 'Write {"numerator": 1, …}.')
    return Case(name, resources, listed)


def verify(
    definition: Definition, year: int, cases: Iterable[Case], evaluator: InMemory, mapped: Mapped
) -> Iterator[tuple[Case, list[Difference]]]:
    """Each case with its differences, in order."""
    groups = [
        {population: evaluator.of_person(member) for population, member in group.members().items()}
        for group in definition.groups
    ]
    for case in cases:
        if len(case.expected) != len(definition.groups):
            raise OperatorError(
                f"{case.name}: {len(case.expected)} groups are expected, {definition.id} has {len(definition.groups)}",
                "Give the cases of this measure.",
            )
        person = person_of(mapped(case.resources))
        got = [{population: int(member(person) is True) for population, member in group.items()} for group in groups]
        yield case, list(_differences(case, got))


def person_of(records: Iterable[Record]) -> Person:
    """A case's person. Published cases are counted in UTC: a day is UTC's, whatever zone a time is written in."""
    return Person(_by_utc(record) for record in records)


def _by_utc(record: Record) -> Record:
    dates = {f"{name}_date": value[:10] for name, value in record.items() if f"{name}_date" in record}
    return record | dates


def _differences(case: Case, got: list[Counted]) -> Iterator[Difference]:
    for number, (expected, found) in enumerate(zip(case.expected, got, strict=True), start=1):
        for population, count in expected.items():
            if found.get(population, 0) != count:
                yield Difference(case.name, number, population, count, found.get(population, 0))
