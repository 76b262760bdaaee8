"""GEN-DEP, screening for depression: people of 12 years or more who were asked within a year (variant of CMS2, screening alone)."""

from decimal import Decimal

from services.measures.declared import Measure, Populations
from services.measures.language.events import THIS
from services.measures.language.truths import any_of, named
from services.measures.language.vocabulary import answered, diagnosed, measured, visits_made
from services.measures.library.code_sets import code_set
from services.measures.library.shared import FIRST_VERSION, VISITS, seen_at

SCORES = [
    scores.usable("0", "27").in_the_days_up_to_the_end(365)
    for scores in (measured(code_set("phq")), answered(code_set("phq")))
]
SCREENED = (
    measured(code_set("depression-screening"))
    .in_the_days_up_to_the_end(365)
    .where(THIS.field("status").one_of("final", "amended", "corrected"), THIS.field("value_codings").known)
)

MEASURE = Measure(
    id="GEN-DEP",
    owner="Network's general care group",
    title="Screening for depression",
    question="How many people of 12 years or more were asked for signs of depression within a year?",
    people=("person of 12 years or more", "people of 12 years or more"),
    achievement="a screening for depression within 12 months",
    rationale="Depression hides; asked for, it can be treated.",
    sources=(
        "CMS2, Screening for Depression and Follow-Up Plan (eCQI Resource Center): the screening, by the network's own code sets",
    ),
    direction="increase",
    target=Decimal("0.9"),
    chart="pp",
    cohort=named("Anybody seen", visits_made().exist()),
    among=VISITS,
    who=Populations(
        initial=named("People of 12 years or more who were seen", seen_at(12)),
        exclusions=named("Bipolar disorder", diagnosed(code_set("bipolar-disorder"))),
        numerator=named(
            "Screened in the 365 days up to the end of the period",
            any_of(SCREENED.exist(), *(each.exist() for each in SCORES)),
        ),
    ),
    unknown="Nobody: who has no screening was not screened, as far as the site's data tell.",
    changes=FIRST_VERSION,
)
