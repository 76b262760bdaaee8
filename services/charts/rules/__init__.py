"""Sets of rules that tell signal from chance: one file a set, found by its name. To add a set is to add a file with `RULES`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from services.charts.patterns import Signal
from services.charts.point import Point


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What counts as a signal, and as enough of a shift to think of new lines."""

    signals: Callable[[Sequence[Point]], Iterator[Signal]]
    """Every signal of one phase, by rule and then by time; runs are as long as they last."""
    by_runs: bool = False
    """Whether the length of runs and the number of crossings judge too."""


@cache
def rule_sets() -> Mapping[str, RuleSet]:
    """Every set by its file's name."""
    return {found.name: import_module(f"{__name__}.{found.name}").RULES for found in iter_modules(__path__)}
