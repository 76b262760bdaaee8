"""Answers of a compiled declaration, put together: yes, no or unknown (`None`)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from services.measures.compile.people import Person, Record
from services.measures.compile.relations import all_of, any_of, negated
from services.measures.language.truths import AllOf, AnyOf, Named, Not, Surely, Truth


class Scope(NamedTuple):
    """Of whom, and of which events, something is asked."""

    person: Person
    this: Record | None = None
    other: Record | None = None


Answer = Callable[[Scope], bool | None]


def all_answers(answers: Sequence[Answer]) -> Answer:
    """As `all_of`, asking no further than need be."""
    return _unless(False, answers)


def any_answer(answers: Sequence[Answer]) -> Answer:
    """As `any_of`, likewise."""
    return _unless(True, answers)


def _unless(decides: bool, answers: Sequence[Answer]) -> Answer:
    """The opposite, unless one answer decides; written out, since most of the time goes here."""
    opposite = not decides

    def answer(scope: Scope) -> bool | None:
        unknown = False
        for each in answers:
            found = each(scope)
            if found is decides:
                return decides
            unknown = unknown or found is None
        return None if unknown else opposite

    return answer


def once(answer: Answer) -> Answer:
    """The answer, kept with the person."""
    own = object()

    def kept(scope: Scope) -> bool | None:
        key, found = (own, id(scope.this), id(scope.other)), scope.person.found
        if key not in found:
            found[key] = answer(scope)
        known: bool | None = found[key]
        return known

    return kept


Decided = Mapping[str, bool]
"""By name whether it is surely so."""
Known = Mapping[int, bool | None]
"""The answers of conditions with a name, by the condition's identity."""


@dataclass(frozen=True, slots=True)
class _Asking:
    """A condition, and by its answer what is asked next, or what has been decided."""

    of: Named
    answer: Answer
    then: dict[bool | None, "_Asking | Decided"] = field(default_factory=dict)


class _UnaskedError(Exception):
    """Nothing can be said before this condition is answered."""


def decided(truths: Mapping[str, Truth], answer_of: Callable[[Named], Answer]) -> Callable[[Scope], Decided]:
    """Which of some truths are surely so. Of conditions with a name it asks one after another, each once and no more than need be;
    what follows from their answers is worked out the first time that they are given."""

    def after(known: Known) -> _Asking | Decided:
        try:
            return MappingProxyType({name: _worked_out(truth, known) is True for name, truth in truths.items()})
        except _UnaskedError as unasked:
            return _Asking(unasked.args[0], answer_of(unasked.args[0]))

    first = after({})

    def ask(scope: Scope) -> Decided:
        known: dict[int, bool | None] = {}
        step = first
        while isinstance(step, _Asking):
            found = known[id(step.of)] = step.answer(scope)
            following = step.then.get(found)
            if following is None:
                following = step.then[found] = after(known)
            step = following
        return step

    return ask


def _worked_out(truth: Truth, known: Known) -> bool | None:
    """From the answers known."""
    if isinstance(truth, Named):
        if id(truth) not in known:
            raise _UnaskedError(truth)
        return known[id(truth)]
    if isinstance(truth, AllOf):
        return all_of(_worked_out(each, known) for each in truth.of)
    if isinstance(truth, AnyOf):
        return any_of(_worked_out(each, known) for each in truth.of)
    if isinstance(truth, Not):
        return negated(_worked_out(truth.of, known))
    if isinstance(truth, Surely):
        return _worked_out(truth.of, known) is True
    raise TypeError(truth)
