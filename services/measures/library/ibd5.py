"""IBD-5, nutrition and growth: young people with inflammatory bowel disease whose BMI and height are not far below others' of their age."""

from decimal import Decimal

from services.measures.declared import Measure, Populations
from services.measures.language.truths import named
from services.measures.language.vocabulary import derived, diagnosed
from services.measures.library.code_sets import code_set
from services.measures.library.shared import FIRST_VERSION, VISITS, seen_at

LOWEST_BMI_Z, LOWEST_HEIGHT_Z = "-1", "-2"
"""What a network may set otherwise."""
COHORT = named("Inflammatory bowel disease", diagnosed(code_set("inflammatory-bowel-disease")))
BMI = derived("bmi-z", "BMI z-scores").in_period().usable("-10", "10").last("the last BMI z-score of the period")
HEIGHT = (
    derived("height-z", "height z-scores").in_period().usable("-10", "10").last("the last height z-score of the period")
)

MEASURE = Measure(
    id="IBD-5",
    owner="Network's inflammatory bowel disease group",
    title="Nutrition and growth in inflammatory bowel disease",
    question="How many young people with inflammatory bowel disease grow well?",
    people=("young person with inflammatory bowel disease", "young people with inflammatory bowel disease"),
    achievement="a BMI and a height that are not far below others' of their age",
    rationale="Inflammation and poor appetite cost weight first and height later; lost height is not always regained.",
    sources=("ImproveCareNow: nutritional status and growth status satisfactory", "CDC growth charts 2000"),
    direction="increase",
    target=Decimal("0.9"),
    chart="p",
    cohort=COHORT,
    among=VISITS,
    who=Populations(
        initial=named("Young people with inflammatory bowel disease who were seen", COHORT, seen_at(2, 20)),
        denominator=named("With height and weight in the period", BMI.exists(), HEIGHT.exists()),
        numerator=named(
            "Both are high enough",
            named(f"The last BMI z-score is {LOWEST_BMI_Z} or more", BMI.event.value.compare(">=", LOWEST_BMI_Z)),
            named(
                f"The last height z-score is {LOWEST_HEIGHT_Z} or more",
                HEIGHT.event.value.compare(">=", LOWEST_HEIGHT_Z),
            ),
        ),
    ),
    unknown="Young people seen in the period without a height or a weight.",
    changes=FIRST_VERSION,
)
