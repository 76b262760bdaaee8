"""GEN-WTN, counselling on nutrition: children of 3 to 17 years who had it within a year (variant of CMS155)."""

from decimal import Decimal

from services.measures.declared import Measure, Populations
from services.measures.language.truths import named
from services.measures.language.vocabulary import done, visits_made
from services.measures.library.code_sets import code_set
from services.measures.library.shared import FIRST_VERSION, VISITS, seen_at

COUNSELLED = done(code_set("nutrition-counselling")).in_the_days_up_to_the_end(365)

MEASURE = Measure(
    id="GEN-WTN",
    owner="Network's general care group",
    title="Counselling on nutrition",
    question="How many children were counselled on nutrition within a year?",
    people=("child of 3 to 17 years", "children of 3 to 17 years"),
    achievement="counselling on nutrition within 12 months",
    rationale="A talk with somebody who knows the child changes more than a leaflet.",
    sources=("CMS155, Weight Assessment and Counseling (eCQI Resource Center), by the network's own code sets",),
    direction="increase",
    target=Decimal("0.8"),
    chart="p",
    cohort=named("Anybody seen", visits_made().exist()),
    among=VISITS,
    who=Populations(
        initial=named("Children of 3 to 17 years who were seen", seen_at(3, 17)),
        numerator=named("Counselled in the 365 days up to the end of the period", COUNSELLED.exist()),
    ),
    unknown="Nobody: who has no counselling on record was not counselled, as far as the site's data tell.",
    changes=FIRST_VERSION,
)
