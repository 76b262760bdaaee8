"""A series as a control chart: its phases, each with its lines, and its signals.

Lines are frozen: those of a phase are set by its baseline and move for nothing that comes after.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from services.charts.limits import kinds
from services.charts.patterns import Signal
from services.charts.point import Point, Subgroup
from services.charts.rules import rule_sets
from services.charts.runs import Runs, runs_of

BASELINE = 12


@dataclass(frozen=True, slots=True)
class Approval:
    """Who let new lines begin, and why."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a series with its own lines."""

    first: int = 0
    """Place of its first subgroup."""
    baseline: int | None = None
    """How many known subgroups set the lines; none: all of the phase."""
    approval: Approval | None = None
    """None of the first phase, and where lines are only tried."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Points with their lines. Phases in order, the last one under way; what is wanted stands beside the frozen lines."""

    kind: str
    points: tuple[Point, ...]
    phases: tuple[Phase, ...]
    baseline: int
    """How many subgroups have set the lines of the last phase."""
    target: float | None = None

    @property
    def centre(self) -> float | None:
        """The centre line of the last phase's last point."""
        return self.points[-1].centre if self.points else None

    @property
    def present(self) -> tuple[Point, ...]:
        """The points of the last phase."""
        return self.points[self.phases[-1].first :]

    @property
    def runs(self) -> Runs | None:
        """The runs of the last phase."""
        return runs_of(self.present)

    def signals(self, rules: str) -> Iterator[Signal]:
        """Every signal by a set of rules, phase by phase: a pattern never reaches over new lines."""
        found = rule_sets()[rules].signals
        for phase, after in zip(self.phases, _ends(self.phases, len(self.points)), strict=True):
            for signal in found(self.points[phase.first : after]):
                yield replace(signal, places=tuple(phase.first + place for place in signal.places))


def draw(
    kind: str, subgroups: Sequence[Subgroup], *, phases: Sequence[Phase] = (Phase(),), target: float | None = None
) -> Chart:
    """The chart of the subgroups in their order. Kinds are the files of `limits`."""
    points: list[Point] = []
    base: Sequence[Subgroup] = ()
    for phase, after in zip(phases, _ends(phases, len(subgroups)), strict=True):
        ours = subgroups[phase.first : after]
        base = _base(ours, phase.baseline)
        points += kinds()[kind].points(ours, base)
    return Chart(kind, tuple(points), tuple(phases), sum(one.known for one in base), target)


def _ends(phases: Sequence[Phase], end: int) -> list[int]:
    """Where each phase ends: the next one's first place."""
    return [*(phase.first for phase in phases[1:]), end]


def _base(subgroups: Sequence[Subgroup], baseline: int | None) -> Sequence[Subgroup]:
    """The leading subgroups of which so many are known."""
    known = [at for at, one in enumerate(subgroups) if one.known]
    if baseline is None or len(known) <= baseline:
        return subgroups
    return subgroups[: known[baseline - 1] + 1]
