"""What several measures say alike: who is seen, and where."""

from services.measures.language.moments import PERIOD
from services.measures.language.truths import Named, named
from services.measures.language.vocabulary import age_at, cared_for_here, visits_made

VISITS = visits_made().in_period()
"""Visits of the period."""
SEEN = VISITS.last("the last visit of the period")
"""The one that a person counts by."""


def seen_at(youngest: int, oldest: int | None = None) -> Named:
    """Of an age at the last visit of the period, at a site that has the person."""
    ages = f"{youngest} to {oldest} years old" if oldest is not None else f"{youngest} years or older"
    return named(
        f"Seen in the period, {ages} at the last visit",
        age_at(SEEN.event.period.start, youngest, oldest),
        cared_for_here(PERIOD),
    )
