"""NET-1, timeliness: visits that were in the registry's stream within 30 days."""

from decimal import Decimal

from services.measures.declared import Measure, Populations
from services.measures.language.events import EVERY, THIS
from services.measures.language.moments import Between
from services.measures.language.truths import named
from services.measures.language.vocabulary import visits_made
from services.measures.library.shared import FIRST_VERSION, VISITS

THIRTY_DAYS = Between(THIS.period.start, THIS.period.start.plus(days=30), "the 30 days from the start of the visit")

MEASURE = Measure(
    id="NET-1",
    owner="Network's data group",
    title="Timely data",
    question="How many visits are in the registry within 30 days?",
    people=("visit", "visits"),
    achievement="come into the registry within 30 days",
    rationale="What is known late can only be mourned: a chart of last quarter helps nobody this month.",
    sources=("The network's own",),
    direction="increase",
    target=Decimal("0.95"),
    chart="p",
    cohort=named("Anybody seen", visits_made().exist()),
    among=VISITS,
    who=Populations(
        initial=named("Visits of the period", EVERY),
        numerator=named("First stored within 30 days", THIS.arrival.starts_no_later_than(THIRTY_DAYS)),
    ),
    per="event",
    strata=(),
    attribution="The site of the visit",
    unknown="Nothing: when a visit was first stored is always known. What never came is not counted at all.",
    changes=FIRST_VERSION,
)
