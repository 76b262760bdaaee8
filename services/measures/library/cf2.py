"""CF-2, nutrition in cystic fibrosis: children whose BMI percentile is 50 or more (the Cystic Fibrosis Foundation's goal)."""

from decimal import Decimal

from services.measures.declared import Change, Measure, Populations
from services.measures.language.events import THIS
from services.measures.language.truths import named
from services.measures.language.vocabulary import diagnosed, measured
from services.measures.library.code_sets import code_set
from services.measures.library.shared import VISITS, seen_at

COHORT = named("Cystic fibrosis", diagnosed(code_set("cystic-fibrosis")))
READINGS = measured(code_set("bmi-percentile")).in_period().usable("0", "100").where(THIS.value.decides(">=", "50"))
LAST = READINGS.last("the last BMI percentile of the period")

MEASURE = Measure(
    id="CF-2",
    owner="Network's nutrition group",
    title="Nutrition in cystic fibrosis",
    question="How many children with cystic fibrosis have a BMI percentile of 50 or more?",
    people=("child with cystic fibrosis", "children with cystic fibrosis"),
    achievement="a BMI percentile of 50 or more",
    rationale="Children with cystic fibrosis who grow well keep better lungs: the goal is the middle of their age and sex, or above.",
    sources=("Cystic Fibrosis Foundation: nutrition guidelines, goal of the 50th BMI percentile from 2 to 20 years",),
    direction="increase",
    target=Decimal("0.7"),
    chart="p",
    cohort=COHORT,
    among=VISITS,
    who=Populations(
        initial=named("Children with cystic fibrosis who were seen", COHORT, seen_at(2, 19)),
        denominator=named("With a BMI percentile in the period", LAST.exists()),
        numerator=named("The last BMI percentile is 50 or more", LAST.event.value.compare(">=", "50")),
    ),
    unknown="Children seen in the period without a BMI percentile. They are counted beside the chart, not in it.",
    changes=(Change("1", "2026-06", "First version"),),
)
