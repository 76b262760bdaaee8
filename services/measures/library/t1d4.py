"""T1D-4, screening for depression: people of 12 years or more with type 1 diabetes who answered a PHQ within 12 months."""

from decimal import Decimal

from services.measures.declared import Measure, Populations
from services.measures.language.truths import any_of, named
from services.measures.language.vocabulary import answered, diagnosed, measured
from services.measures.library.code_sets import code_set
from services.measures.library.shared import FIRST_VERSION, VISITS, seen_at

COHORT = named("Type 1 diabetes", diagnosed(code_set("type-1-diabetes")))
SCORES = [
    scores.usable("0", "27").in_the_days_up_to_the_end(365)
    for scores in (measured(code_set("phq")), answered(code_set("phq")))
]

MEASURE = Measure(
    id="T1D-4",
    owner="Network's type 1 diabetes group",
    title="Screening for depression in type 1 diabetes",
    question="How many people with type 1 diabetes were asked for signs of depression within a year?",
    people=("person of 12 years or more with type 1 diabetes", "people of 12 years or more with type 1 diabetes"),
    achievement="a scored PHQ within 12 months",
    rationale="Living with diabetes wears people down; depression is twice as common, and can be treated once it is seen.",
    sources=("American Diabetes Association. Standards of Care in Diabetes 2024, 5: psychosocial care",),
    direction="increase",
    target=Decimal("0.9"),
    chart="pp",
    cohort=COHORT,
    among=VISITS,
    who=Populations(
        initial=named("People with type 1 diabetes of 12 years or more who were seen", COHORT, seen_at(12)),
        numerator=named(
            "A PHQ was scored in the 365 days up to the end of the period", any_of(*(each.exist() for each in SCORES))
        ),
    ),
    unknown="Nobody: who has no score was not screened, as far as the site's data tell.",
    changes=FIRST_VERSION,
)
