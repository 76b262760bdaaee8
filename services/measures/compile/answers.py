"""Answers of a compiled declaration, put together: yes, no or unknown (`None`)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from services.measures.compile.people import Person, Record


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
