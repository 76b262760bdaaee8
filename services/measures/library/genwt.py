"""GEN-WT, weight assessment: children of 3 to 17 years whose BMI percentile was recorded within a year (variant of CMS155)."""

from decimal import Decimal

from services.measures.declared import Measure, Populations
from services.measures.language.truths import any_of, named
from services.measures.language.vocabulary import derived, measured, visits_made
from services.measures.library.code_sets import code_set
from services.measures.library.shared import FIRST_VERSION, VISITS, seen_at

RECORDED = measured(code_set("bmi-percentile")).usable("0", "100").in_the_days_up_to_the_end(365)
WORKED_OUT = derived("bmi-percentile", "BMI percentiles, worked out").usable("0", "100").in_the_days_up_to_the_end(365)

MEASURE = Measure(
    id="GEN-WT",
    owner="Network's general care group",
    title="Weight assessment of children",
    question="For how many children is the BMI percentile known?",
    people=("child of 3 to 17 years", "children of 3 to 17 years"),
    achievement="a BMI percentile within 12 months",
    rationale="What is not measured is not spoken about; a percentile opens the talk on food and play.",
    sources=(
        "CMS155, Weight Assessment and Counseling (eCQI Resource Center): the percentile, by the network's own code sets",
    ),
    direction="increase",
    target=Decimal("0.95"),
    chart="p",
    cohort=named("Anybody seen", visits_made().exist()),
    among=VISITS,
    who=Populations(
        initial=named("Children of 3 to 17 years who were seen", seen_at(3, 17)),
        numerator=named("With a BMI percentile, recorded or worked out", any_of(RECORDED.exist(), WORKED_OUT.exist())),
    ),
    unknown="Nobody: who has no percentile was not assessed, as far as the site's data tell.",
    changes=FIRST_VERSION,
)
