"""Small denominators: how far a series goes down before its points say something."""

from enum import StrEnum

SMALLEST = 5
"""A denominator below this says little."""


class Rung(StrEnum):
    """How a series is drawn."""

    MONTH = "month"
    QUARTER = "quarter"
    BETWEEN_EVENTS = "between events"
    """A g-chart, or a T-chart where times are known."""
    RUN = "run chart"
    """By quarter, with the median and without limits."""


def rung(month: float, quarter: float, *, events_known: bool = False) -> Rung:
    """The first rung whose typical denominator is large enough; `events_known`: single events can be put in order."""
    if month >= SMALLEST:
        return Rung.MONTH
    if quarter >= SMALLEST:
        return Rung.QUARTER
    return Rung.BETWEEN_EVENTS if events_known else Rung.RUN
