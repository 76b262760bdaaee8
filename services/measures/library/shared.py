"""What several measures say alike: who is seen, and where; how each is signed."""

from services.measures.declared import Change
from services.measures.language.codes import SNOMED, Code
from services.measures.language.events import THIS, Linked
from services.measures.language.moments import PERIOD
from services.measures.language.truths import Named, Surely, Truth, any_of, named, not_
from services.measures.language.vocabulary import age_at, cared_for_here, on, treatments, visits_made
from services.measures.library.code_sets import code_set

FIRST_VERSION = (Change("1", "2026-11", "First version"),)
LAST_STATE_DAYS = 395
"""A state counts for so many days."""
VISITS = visits_made().in_period()
"""Visits of the period."""
SEEN = VISITS.last("the last visit of the period")
"""The one that a person counts by."""
SYSTEMIC_ROUTES = (
    Code(SNOMED, "26643006", "by mouth"),
    Code(SNOMED, "47625008", "into a vein"),
    Code(SNOMED, "78421000", "into a muscle"),
)


OUTPATIENT = not_(Surely(Linked(THIS, THIS.field("class_code").one_of("EMER", "IMP", "ACUTE", "NONAC", "PRENC", "SS"))))
"""Not of an emergency or a stay, as far as is known."""


def seen_at(youngest: int, oldest: int | None = None) -> Named:
    """Of an age at the last visit of the period, at a site that has the person."""
    ages = f"{youngest} to {oldest} years old" if oldest is not None else f"{youngest} years or older"
    return named(
        f"Seen in the period, {ages} at the last visit",
        age_at(SEEN.event.period.start, youngest, oldest),
        cared_for_here(PERIOD),
    )


def on_systemic_steroids() -> Truth:
    """On the day of the last visit: prednisone and the like unless by another route; hydrocortisone and dexamethasone by a systemic one."""
    that_day, systemic = on(SEEN.event.period.start), THIS.field("route").coded(*SYSTEMIC_ROUTES)
    mostly = treatments(code_set("systemic-steroids")).where(
        any_of(not_(THIS.field("route").known), systemic), that_day
    )
    by_route = treatments(code_set("steroids-by-route")).where(systemic, that_day)
    return any_of(mostly.exist(), by_route.exist())
