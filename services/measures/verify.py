"""Published cases of a measure against its definition: one folder a case, expected counts by population."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from schemas.errors import OperatorError
from services.measures.compile.memory import InMemory
from services.measures.compile.people import Person, Record
from services.measures.declared import Definition

Counted = dict[str, int]
"""Counts by the codes of FHIR's measure-population."""
POPULATIONS = frozenset(
    {
        "initial-population",
        "denominator",
        "denominator-exclusion",
        "denominator-exception",
        "numerator",
        "numerator-exclusion",
        "measure-population",
        "measure-population-exclusion",
        "measure-observation",
    }
)
"""Those codes."""
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

    Raises `OperatorError` where there is none, or where it or a case's `bundle.ndjson` is not what it must be: a line for each.
    """
    expected = _expected(_deck(folder) / "expected.json")
    faults = [f"{folder / 'expected.json'}: {fault}" for name in expected for fault in _faults(folder, name, expected)]
    if faults:
        raise OperatorError(
            faults,
            "Give each case a folder with a bundle.ndjson, and its counts by FHIR's populations, in a list where there are several "
            'groups: {"case": {"initial-population": 1, "numerator": 0}}.',
        )
    return [Case(name, folder / name / "bundle.ndjson", _listed(expected[name])) for name in sorted(expected)]


def not_expected(folder: Path, cases: Iterable[Case]) -> list[str]:
    """Folders with resources that no case stands for: nothing says what is expected of them."""
    known = {case.name for case in cases}
    return sorted(each.parent.name for each in folder.glob("*/bundle.ndjson") if each.parent.name not in known)


def _deck(folder: Path) -> Path:
    """The folder, where it holds expected counts."""
    if (folder / "expected.json").is_file():
        return folder
    fix = "Give the folder that holds the cases, each a folder with a bundle.ndjson, and their expected.json."
    if folder.is_file():
        raise OperatorError(f"{folder}: a file, not a folder", fix)
    if not folder.is_dir():
        raise OperatorError(f"{folder}: no such folder", fix)
    if below := sorted(each.parent.relative_to(folder) for each in folder.glob("*/expected.json")):
        fix = f"Give one of those in it: {', '.join(map(str, below))}."
    raise OperatorError(f"{folder}: no expected.json in it", fix)


def _expected(path: Path) -> dict[str, Any]:
    shape = 'Write {"case": {"initial-population": 1, …}, …}.'
    try:
        expected = json.loads(path.read_bytes())
    except OSError as problem:
        raise OperatorError(f"{path}: cannot be read", "Let this account read it.") from problem
    except (ValueError, RecursionError) as problem:
        at = f", line {problem.lineno} column {problem.colno}" if isinstance(problem, json.JSONDecodeError) else ""
        raise OperatorError(f"{path}: not readable as JSON{at}", shape) from None
    if not isinstance(expected, dict) or not expected:
        raise OperatorError(f"{path}: no cases in it", shape)
    return expected


def _faults(folder: Path, name: str, expected: dict[str, Any]) -> Iterator[str]:
    """Why a case cannot be compared."""
    resources = folder / name / "bundle.ndjson"
    inside = Path(name).name == name and resources.resolve().is_relative_to(folder.resolve())
    if not inside or not resources.is_file():
        yield f"of {name} there is no {name}/bundle.ndjson"
    counts = _listed(expected[name])
    if not counts or not all(
        isinstance(group, dict) and group and all(map(_is_count, group.values())) for group in counts
    ):
        yield f"{name} has no counts by population"
    elif other := sorted({code for group in counts for code in group} - POPULATIONS):
        yield f"{name} counts '{other[0]}', which is none of FHIR's populations ({', '.join(sorted(POPULATIONS))})"


def _listed(groups: Any) -> list[Any]:
    return groups if isinstance(groups, list) else [groups]


def _is_count(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 0


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
        person = Person(mapped(case.resources))
        got = [{population: int(member(person) is True) for population, member in group.items()} for group in groups]
        yield case, list(_differences(case, got))


def _differences(case: Case, got: list[Counted]) -> Iterator[Difference]:
    for number, (expected, found) in enumerate(zip(case.expected, got, strict=True), start=1):
        for population, count in expected.items():
            if found.get(population, 0) != count:
                yield Difference(case.name, number, population, count, found.get(population, 0))
