"""IBD-5Z, the mean BMI z-score of young people with inflammatory bowel disease: beside IBD-5, for smaller changes than a share shows."""

from decimal import Decimal

from services.measures.declared import Measure, Populations
from services.measures.language.truths import named
from services.measures.language.vocabulary import derived, diagnosed
from services.measures.library.code_sets import code_set
from services.measures.library.shared import FIRST_VERSION, VISITS, seen_at

COHORT = named("Inflammatory bowel disease", diagnosed(code_set("inflammatory-bowel-disease")))
BMI = derived("bmi-z", "BMI z-scores").in_period().usable("-10", "10").last("the last BMI z-score of the period")
MEASURED = named("With a BMI z-score in the period", BMI.exists())

MEASURE = Measure(
    id="IBD-5Z",
    owner="Network's inflammatory bowel disease group",
    title="BMI in inflammatory bowel disease",
    question="How does the BMI of young people with inflammatory bowel disease compare with others' of their age?",
    people=("young person with inflammatory bowel disease", "young people with inflammatory bowel disease"),
    achievement="BMI z-score",
    rationale="A mean moves before a share does: 0 is the middle of all of their age and sex.",
    sources=("CDC growth charts 2000",),
    direction="increase",
    target=Decimal("0"),
    chart="xbar",
    cohort=COHORT,
    among=VISITS,
    who=Populations(
        initial=named("Young people with inflammatory bowel disease who were seen", COHORT, seen_at(2, 20)),
        denominator=MEASURED,
        numerator=MEASURED,
    ),
    value=BMI.event.value,
    unknown="Young people seen in the period without a height or a weight.",
    changes=FIRST_VERSION,
)
