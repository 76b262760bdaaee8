"""Why a person is in or out: each named step of the reasoning, what came of it, and the records it stands on, with what they say."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from services.measures.compile.memory import InMemory
from services.measures.compile.people import Person, Record
from services.measures.compile.words import said
from services.measures.language.events import Exists, Pick, Row, Series
from services.measures.language.truths import Named
from services.measures.language.vocabulary import AgeAt, Died, PersonIs

_OF_PERSON = (AgeAt, Died, PersonIs)
_KNOWN_BY = {AgeAt: "birth_date", Died: "death_date"}
_WHEN = ("effective_date", "performed_date", "onset_date", "authored_date", "start_date", "birth_date")
_ENDS = ("effective_end_date", "performed_end_date", "abatement_date", "end_date", "death_date")
_CODES = ("value_codings", "status_reasons")


@dataclass(frozen=True, slots=True)
class Reasoning:
    """One step. `answer`: so, not so, or unknown (`None`)."""

    name: str
    answer: bool | None
    records: tuple[str, ...]
    """The records that speak for it: the id of each, and what it says."""
    steps: tuple["Reasoning", ...]

    def lines(self, depth: int = 0) -> Iterator[str]:
        """The step and those below it, indented."""
        word = {True: "yes", False: "no", None: "unknown"}[self.answer]
        on = f" ({'; '.join(self.records)})" if self.records else ""
        yield f"{'  ' * depth}{word}: {self.name}{on}"
        for step in self.steps:
            yield from step.lines(depth + 1)


def reason(evaluator: InMemory, condition: Named, person: Person, this: Record | None = None) -> Reasoning:
    """The reasoning of a condition for one person, or for one of their events."""
    asked = isinstance(condition.of, _OF_PERSON)
    series, steps = ([], []) if asked else _inside(condition.of)
    found = [line for each in series for line in _found(evaluator, each, person)]
    field = _KNOWN_BY.get(type(condition.of), "")
    found += [_told(each, person) for each in person.of["person"] if field in each]
    return Reasoning(
        condition.name,
        evaluator.of_event(condition)(person, this),
        tuple(dict.fromkeys(found)),
        tuple(reason(evaluator, step, person, this) for step in dict.fromkeys(steps)),
    )


def _found(evaluator: InMemory, series: Series | Pick, person: Person) -> Iterator[str]:
    """The events of a series; of a single one also what it is called, and that there is none."""
    events = evaluator.events(series)(person)
    called = f"{series.name}: " if isinstance(series, Pick) else ""
    yield from (f"{called}{_told(event, person)}" for event in events)
    if called and not events:
        yield f"{called}none"


def _told(record: Record, person: Person) -> str:
    """`r-5e11… observation 2026-03-02, 7.1 %, final`."""
    first, last = (next((record[name] for name in names if record.get(name)), None) for names in (_WHEN, _ENDS))
    born = "born " if "birth_date" in record else ""
    when = f"{first} to {last}" if first and last and first != last else first or last
    parts = [f"{each.get('code') or 'part'} {_value(each)}" for each in person.parts.get(record["id"], ())]
    states = (record.get(name) for name in ("clinical_status", "verification_status", "status"))
    said_of = (_value(record), *parts, *(str(each) for each in states if each))
    return ", ".join(
        (" ".join(filter(None, (record["id"], record["type"], when and born + when))), *filter(None, said_of))
    )


def _value(record: Record) -> str:
    """Its number with the unit, or the codes of its answer."""
    if record.get("value") is not None:
        return " ".join(str(record[name]) for name in ("comparator", "value", "unit") if record.get(name) is not None)
    codings = [each.get("code", "") for name in _CODES for each in record.get(name) or ()]
    return " ".join(filter(None, codings)) or str(record.get("value_code") or "")


def _inside(node: Any) -> tuple[list[Series | Pick], list[Named]]:
    """The series that decide a condition, and the named steps right below it; what is asked of the person is one."""
    if isinstance(node, Named):
        return [], [node]
    if isinstance(node, _OF_PERSON):
        return [], [Named(said(node), node)]
    if isinstance(node, Exists):
        return [node.series], []
    if isinstance(node, Row):
        return ([node.which] if isinstance(node.which, Pick) else []), []
    parts = (
        node
        if isinstance(node, tuple)
        else [getattr(node, each.name) for each in fields(node)]
        if is_dataclass(node)
        else []
    )
    found = [_inside(part) for part in parts]
    series = [each for some, _ in found for each in some]
    return list(dict.fromkeys(series)), [step for _, some in found for step in some]
