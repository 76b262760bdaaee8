"""A declaration as a tree of its parts."""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, TypeVar, cast

from services.measures.language.moments import Bound

Kind = TypeVar("Kind")


def parts_of(node: Any) -> Iterator[Any]:
    """What a part of a declaration is made of, one step down."""
    if isinstance(node, tuple):
        yield from node
    elif is_dataclass(node):
        kind: Any = type(node)
        for name in _names(kind):
            yield getattr(node, name)


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


def found_in(node: Any, kind: type[Kind]) -> list[Kind]:
    """Every part of a kind in a declaration, the innermost first; one that stands twice comes once."""
    return list(dict.fromkeys(each for each in every_part(node) if isinstance(each, kind)))


def every_part(node: Any) -> Iterator[Any]:
    """A declaration and all parts of it, the innermost first; one that stands twice comes once where it is the same object."""
    yield from _inside_out(node, {})


def _inside_out(node: Any, seen: dict[int, Any]) -> Iterator[Any]:
    if id(node) in seen:
        return
    seen[id(node)] = node
    for part in parts_of(node):
        yield from _inside_out(part, seen)
    yield node


def made_anew(node: Kind, change: Callable[[Any], Any]) -> Kind:
    """A declaration of which each part may be changed, the innermost first; what stands twice stays one part."""
    seen: dict[int, tuple[Any, Any]] = {}

    def anew(part: Any) -> Any:
        if id(part) not in seen:
            seen[id(part)] = (part, _of_parts(part, anew, change))
        return seen[id(part)][1]

    made: Kind = anew(node)
    return made


def _of_parts(part: Any, anew: Callable[[Any], Any], change: Callable[[Any], Any]) -> Any:
    if isinstance(part, tuple):
        return tuple(map(anew, part))
    if not is_dataclass(part):
        return part
    one, kind = cast(Any, part), cast(Any, type(part))
    return change(replace(one, **{name: anew(getattr(part, name)) for name in _names(kind)}))


class Periodic:
    """Tells whether a part of a declaration says another thing in another measurement period; remembers what it was asked."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, bool]] = {}

    def __call__(self, node: Any) -> bool:
        """Whether it does. Parts are told apart by identity: to compare them by value would walk them again and again."""
        known = self._known.get(id(node))
        if known is None:
            answer = isinstance(node, Bound) or any(self(part) for part in parts_of(node))
            known = self._known[id(node)] = (node, answer)
        return known[1]


class Alike:
    """Gives the same part for all that say the same; told apart by identity first, as above."""

    def __init__(self) -> None:
        self._by_identity: dict[int, tuple[Any, Any]] = {}
        self._by_value: dict[Any, Any] = {}

    def __call__(self, node: Kind) -> Kind:
        """The first of those that are alike."""
        known = self._by_identity.get(id(node))
        if known is None:
            known = self._by_identity[id(node)] = (node, self._by_value.setdefault(node, node))
        found: Kind = known[1]
        return found
