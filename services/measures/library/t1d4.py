"""T1D-4, screening for depression: people of 12 years or more with type 1 diabetes who answered a PHQ within 12 months."""

from decimal import Decimal

from services.measures.declared import Measure, Populations
from services.measures.language.moments import Between
from services.measures.language.truths import any_of, named
from services.measures.language.vocabulary import answered, diagnosed, measured
from services.measures.library.code_sets import code_set
from services.measures.library.shared import FIRST_VERSION, SEEN, VISITS, seen_at

COHORT = named("Type 1 diabetes", diagnosed(code_set("type-1-diabetes")))
YEAR = Between(
    SEEN.event.period.start.plus(years=-1, days=1), SEEN.event.period.start, "the 12 months up to the last visit"
)
SCORES = [
    scores.usable("0", "27").where(scores.when.during(YEAR))
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
            "A PHQ was scored in the 12 months up to the last visit", any_of(*(each.exist() for each in SCORES))
        ),
    ),
    unknown="Nobody: who has no score was not screened, as far as the site's data tell.",
    changes=FIRST_VERSION,
)
