"""T1D-2, diabetic ketoacidosis: admissions for it in 100 years of one person with type 1 diabetes (lower is better)."""

from decimal import Decimal

from services.measures.declared import Measure, Populations
from services.measures.language.events import OTHER, THIS
from services.measures.language.moments import KNOWN, PERIOD, Between, Death, earliest, latest
from services.measures.language.truths import named
from services.measures.language.vocabulary import cared_for_here, diagnosed, diagnoses_made, visits_made
from services.measures.library.code_sets import code_set
from services.measures.library.shared import FIRST_VERSION, LAST_STATE_DAYS

COHORT = named("Type 1 diabetes", diagnosed(code_set("type-1-diabetes")))
FIRST_VISIT = visits_made().first("the first visit known")
FOLLOWED = Between(latest(PERIOD.start, FIRST_VISIT.event.period.start), earliest(KNOWN, Death()), "the time followed")
KETOACIDOSIS = diagnoses_made(code_set("diabetic-ketoacidosis"))
ADMISSIONS = (
    visits_made()
    .where(
        THIS.field("class_code").one_of("IMP", "ACUTE", "NONAC", "SS", "OBSENC"), THIS.period.starts_during(FOLLOWED)
    )
    .with_any(KETOACIDOSIS, OTHER.at(THIS))
)

MEASURE = Measure(
    id="T1D-2",
    owner="Network's type 1 diabetes group",
    title="Diabetic ketoacidosis",
    question="How often are people with type 1 diabetes admitted with ketoacidosis?",
    people=("person with type 1 diabetes", "people with type 1 diabetes"),
    achievement="admissions with ketoacidosis",
    rationale="Each admission could have been prevented by insulin, a phone call or a pump that worked.",
    sources=(
        "American Diabetes Association. Standards of Care in Diabetes 2024, 16: hospital care",
        "ICD-10-CM E10.10, E10.11",
    ),
    direction="decrease",
    target=Decimal("3"),
    chart="u",
    cohort=COHORT,
    among=visits_made().in_the_days_up_to_the_end(LAST_STATE_DAYS),
    who=Populations(
        initial=named(
            "People with type 1 diabetes, seen in the 395 days up to the end of the period",
            COHORT,
            cared_for_here(PERIOD),
        ),
        numerator=named("Admitted with ketoacidosis", ADMISSIONS.exist()),
    ),
    per="person-time",
    events=ADMISSIONS,
    time=FOLLOWED,
    attribution="The site that saw the person in the last 395 days, while it has the person enrolled or enrols nobody",
    unknown="People who were not seen in 395 days count no time: whether they were admitted elsewhere is not known.",
    changes=FIRST_VERSION,
)
