"""CF-2A, nutrition of adults with cystic fibrosis: a BMI of 22 or more for women, of 23 or more for men."""

from decimal import Decimal

from services.measures.declared import Measure, Populations
from services.measures.language.truths import all_of, any_of, named
from services.measures.language.vocabulary import diagnosed, measured, sex
from services.measures.library.code_sets import code_set
from services.measures.library.shared import FIRST_VERSION, VISITS, seen_at

COHORT = named("Cystic fibrosis", diagnosed(code_set("cystic-fibrosis")))
LAST = measured(code_set("body-mass-index")).in_period().usable("8", "100").last("the last BMI of the period")

MEASURE = Measure(
    id="CF-2A",
    owner="Network's nutrition group",
    title="Nutrition of adults with cystic fibrosis",
    question="How many adults with cystic fibrosis have a BMI of 22 (women) or 23 (men) or more?",
    people=("adult with cystic fibrosis", "adults with cystic fibrosis"),
    achievement="a BMI of 22 (women) or 23 (men) or more",
    rationale="Who is well nourished keeps better lungs, as an adult too.",
    sources=("Cystic Fibrosis Foundation: nutrition guidelines, goals for adults",),
    direction="increase",
    target=Decimal("0.6"),
    chart="p",
    cohort=COHORT,
    among=VISITS,
    who=Populations(
        initial=named("Adults with cystic fibrosis who were seen", COHORT, seen_at(20)),
        denominator=named(
            "With a BMI in the period, and sex recorded as female or male", LAST.exists(), sex("female", "male")
        ),
        numerator=named(
            "The last BMI reaches the goal",
            any_of(
                all_of(sex("female"), LAST.event.value.compare(">=", "22")),
                all_of(sex("male"), LAST.event.value.compare(">=", "23")),
            ),
        ),
    ),
    unknown="Adults seen in the period without a BMI, or whose sex is not recorded as female or male: the goal differs.",
    changes=FIRST_VERSION,
)
