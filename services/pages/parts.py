"""Long lists in parts: a page stays small enough for a slow line, however much people say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Query

T = TypeVar("T")
SHORT, WHOLE = 50, 12
"""So many at once of what is told shortly, and of what stands there in all its words."""
Number = Annotated[int, Query(alias="part", ge=1, le=1_000_000)]
"""An endpoint's argument: which part is asked for."""


@dataclass(frozen=True, slots=True)
class ListPart(Generic[T]):
    """One part of a list."""

    shown: Sequence[T]
    number: int
    last: int


def part_of(items: Sequence[T], number: int, *, at_once: int) -> ListPart[T]:
    """The part that is asked for; the last where there are fewer."""
    last = max(1, -(-len(items) // at_once))
    here = min(number, last)
    return ListPart(items[(here - 1) * at_once : here * at_once], here, last)
