"""New lines for a series: proposed by a rule, begun by a person who says why. A change for the worse never proposes any.

A network that moves its lines when it gets worse stops seeing that it got worse.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.charts.chart import BASELINE, Approval, Chart, Phase
from services.charts.patterns import Rule, shifts

SUSTAINED = 8


class Cause(StrEnum):
    """Why new lines may be right."""

    IMPROVEMENT = "improvement"
    """A shift of eight or more to the better in the phase under way, which lasts."""
    DEFINITION = "definition"
    """The measure is counted in another way from there on."""
    INTERVENTION = "intervention"
    """Something was done on purpose, and annotated."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """What somebody noted about a place of the series."""

    place: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class Proposal:
    """New lines from a place on, if a person approves."""

    first: int
    cause: Cause


def proposals(
    chart: Chart, *, higher_is_better: bool | None, annotations: Sequence[Annotation] = ()
) -> Iterator[Proposal]:
    """Where new lines may begin after the present phase's first point; without a direction only where something was annotated."""
    since = chart.phases[-1].first
    lasting = [at for at, point in enumerate(chart.present) if point.side][-1:]
    for signal in shifts(chart.present, Rule.EIGHT_ONE_SIDE, SUSTAINED):
        if higher_is_better is not None and signal.up == higher_is_better and signal.first and signal.last in lasting:
            yield Proposal(since + signal.first, Cause.IMPROVEMENT)
    for annotation in annotations:
        if since < annotation.place < len(chart.points) and annotation.cause is not Cause.IMPROVEMENT:
            yield Proposal(annotation.place, annotation.cause)


def approve(phases: Sequence[Phase], proposal: Proposal, *, by: str, reason: str) -> tuple[Phase, ...]:
    """The phases with the proposed one begun.

    Raises ValueError without a name or a reason, and where the place lies before the last phase.
    """
    if not by.strip() or not reason.strip():
        raise ValueError("new lines need the name of who approves them and the reason")
    if proposal.first <= phases[-1].first:
        raise ValueError("new lines begin after the last phase's first point")
    return (*phases, Phase(proposal.first, BASELINE, Approval(by.strip(), reason.strip())))
