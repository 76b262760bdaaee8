"""Why a person is in or out: each named step of the reasoning, what came of it, and the records it stands on."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from services.measures.compile.memory import InMemory
from services.measures.compile.people import Person, Record
from services.measures.language.events import Exists, Pick, Row, Series
from services.measures.language.truths import Named


@dataclass(frozen=True, slots=True)
class Reasoning:
    """One step. `answer`: so, not so, or unknown (`None`)."""

    name: str
    answer: bool | None
    records: tuple[str, ...]
    """Ids of the records that speak for it."""
    steps: tuple["Reasoning", ...]

    def lines(self, depth: int = 0) -> Iterator[str]:
        """The step and those below it, indented."""
        word = {True: "yes", False: "no", None: "unknown"}[self.answer]
        on = f" ({', '.join(self.records)})" if self.records else ""
        yield f"{'  ' * depth}{word}: {self.name}{on}"
        for step in self.steps:
            yield from step.lines(depth + 1)


def reason(evaluator: InMemory, condition: Named, person: Person, this: Record | None = None) -> Reasoning:
    """The reasoning of a condition for one person, or for one of their events."""
    series, steps = _inside(condition.of)
    events = [event for each in series for event in evaluator.events(each)(person)]
    return Reasoning(
        condition.name,
        evaluator.of_event(condition)(person, this),
        tuple(dict.fromkeys(event["id"] for event in events)),
        tuple(reason(evaluator, step, person, this) for step in steps),
    )


def _inside(node: Any) -> tuple[list[Series | Pick], list[Named]]:
    """The series that decide a condition, and the named steps right below it."""
    if isinstance(node, Named):
        return [], [node]
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
