"""T1D-1H, high HbA1c: people with type 1 diabetes for a year or more whose last HbA1c is above 9.0 % (lower is better)."""

from decimal import Decimal

from services.measures.declared import Measure, Populations
from services.measures.language.events import THIS
from services.measures.language.truths import named
from services.measures.language.vocabulary import diagnosed, first_diagnosed, measured
from services.measures.library.code_sets import code_set
from services.measures.library.shared import FIRST_VERSION, SEEN, VISITS, seen_at

TYPE_1 = code_set("type-1-diabetes")
COHORT = named("Type 1 diabetes", diagnosed(TYPE_1))
FOR_A_YEAR = first_diagnosed(TYPE_1).event.prevalence.start.plus(years=1).on_or_before(SEEN.event.period.start)
LAST = (
    measured(code_set("hba1c"))
    .in_period()
    .usable("3", "20")
    .where(THIS.value.decides(">", "9.0"))
    .last("the last HbA1c of the period")
)
TESTED = named("With an HbA1c in the period", LAST.exists())

MEASURE = Measure(
    id="T1D-1H",
    owner="Network's type 1 diabetes group",
    title="HbA1c above 9 %",
    question="How many people with type 1 diabetes have an HbA1c above 9 %?",
    people=("person with type 1 diabetes for a year or more", "people with type 1 diabetes for a year or more"),
    achievement="a last HbA1c above 9.0 %",
    rationale="Above 9 % somebody needs help now: each of them can be called.",
    sources=("American Diabetes Association. Standards of Care in Diabetes 2024, 14: children and adolescents",),
    direction="decrease",
    target=Decimal("0.15"),
    chart="pp",
    cohort=COHORT,
    among=VISITS,
    who=Populations(
        initial=named(
            "People with type 1 diabetes who were seen",
            COHORT,
            named("Diagnosed a year or more before the last visit", FOR_A_YEAR),
            seen_at(0),
        ),
        denominator=TESTED,
        numerator=named("The last HbA1c is above 9.0 %", LAST.event.value.compare(">", "9.0")),
    ),
    unknown="People seen in the period without an HbA1c. Without a date of diagnosis it cannot be said whether they count.",
    changes=FIRST_VERSION,
)
