"""Yes, no, or unknown: how conditions join."""

from __future__ import annotations

from dataclasses import dataclass


class Truth:
    """Something that is so, is not so, or is unknown; of one event or of a person."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class AllOf(Truth):
    """So where each is; not so where any is not; else unknown."""

    of: tuple[Truth, ...]


@dataclass(frozen=True, slots=True)
class AnyOf(Truth):
    """So where any is; not so where none is; else unknown."""

    of: tuple[Truth, ...]


@dataclass(frozen=True, slots=True)
class Not(Truth):
    """The contrary; unknown stays unknown."""

    of: Truth


@dataclass(frozen=True, slots=True)
class Surely(Truth):
    """So, or else not so: what is unknown is not so."""

    of: Truth


@dataclass(frozen=True, slots=True)
class Named(Truth):
    """A step of the reasoning with a name, so that it can be shown and answered for."""

    name: str
    of: Truth


def all_of(*truths: Truth) -> Truth:
    """Each of them; a single one is itself."""
    return truths[0] if len(truths) == 1 else AllOf(truths)


def any_of(*truths: Truth) -> Truth:
    """Any of them; a single one is itself."""
    return truths[0] if len(truths) == 1 else AnyOf(truths)


def not_(truth: Truth) -> Truth:
    """The contrary."""
    return Not(truth)


def unless(truth: Truth, *others: Truth) -> Truth:
    """So, unless any of the others is so; what is unknown of those is no hindrance."""
    return all_of(truth, not_(Surely(any_of(*others))))


def named(name: str, *truths: Truth) -> Named:
    """All of them, under a name."""
    return Named(name, all_of(*truths))
