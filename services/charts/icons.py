"""Variation and assurance in a word each, as Making Data Count draws them: what the last point says, and whether the target is met.

From 13 points on (NHS England, Making data count: strengthening your decisions, 2019); fewer tell too little for an icon.
"""

from collections.abc import Iterable
from enum import StrEnum

from services.charts.chart import Chart
from services.charts.patterns import Signal

LEAST = 13


class Variation(StrEnum):
    """What the last point is part of."""

    TOO_FEW = "too few points"
    COMMON_CAUSE = "common cause"
    IMPROVING_HIGH = "improving, high"
    IMPROVING_LOW = "improving, low"
    CONCERNING_HIGH = "concerning, high"
    CONCERNING_LOW = "concerning, low"
    UNJUDGED_HIGH = "special cause, high"
    """The measure has no direction."""
    UNJUDGED_LOW = "special cause, low"
    UNJUDGED = "special cause"
    """The pattern has none."""


class Assurance(StrEnum):
    """Whether a target will be met if nothing changes."""

    TOO_FEW = "too few points"
    NO_TARGET = "no target"
    MET = "met every time"
    """The limits lie on the right side of it."""
    MISSED = "missed every time"
    BY_CHANCE = "met or missed by chance"


def variation(chart: Chart, signals: Iterable[Signal], *, higher_is_better: bool | None) -> Variation:
    """What the last known point says; where it is part of several signals, the first of the rule set's order."""
    known = [at for at, point in enumerate(chart.points) if point.value is not None]
    if len(known) < LEAST:
        return Variation.TOO_FEW
    signal = next((signal for signal in signals if known[-1] in signal.places), None)
    if signal is None:
        return Variation.COMMON_CAUSE
    if signal.up is None:
        return Variation.UNJUDGED
    if higher_is_better is None:
        return Variation.UNJUDGED_HIGH if signal.up else Variation.UNJUDGED_LOW
    if signal.up == higher_is_better:
        return Variation.IMPROVING_HIGH if signal.up else Variation.IMPROVING_LOW
    return Variation.CONCERNING_HIGH if signal.up else Variation.CONCERNING_LOW


def assurance(chart: Chart, *, higher_is_better: bool | None) -> Assurance:
    """Where the target lies beside the last known point's limits."""
    known = [point for point in chart.points if point.value is not None]
    if chart.target is None or higher_is_better is None:
        return Assurance.NO_TARGET
    if len(known) < LEAST or known[-1].lower is None or known[-1].upper is None:
        return Assurance.TOO_FEW
    if known[-1].lower > chart.target:
        return Assurance.MET if higher_is_better else Assurance.MISSED
    if known[-1].upper < chart.target:
        return Assurance.MISSED if higher_is_better else Assurance.MET
    return Assurance.BY_CHANCE
