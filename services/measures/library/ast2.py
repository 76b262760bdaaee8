"""AST-2, emergencies: visits to an emergency department for asthma in 100 years of one child (lower is better)."""

from decimal import Decimal

from services.measures.declared import Measure, Populations
from services.measures.language.events import OTHER, THIS
from services.measures.language.moments import KNOWN, PERIOD, Between, Birthday, Death, earliest, latest
from services.measures.language.truths import named
from services.measures.language.vocabulary import cared_for_here, diagnosed, diagnoses_made, visits_made
from services.measures.library.code_sets import code_set
from services.measures.library.shared import FIRST_VERSION, LAST_STATE_DAYS

ASTHMA = code_set("asthma")
COHORT = named("Asthma", diagnosed(ASTHMA))
FIRST_VISIT = visits_made().first("the first visit known")
FOLLOWED = Between(
    latest(PERIOD.start, FIRST_VISIT.event.period.start, Birthday(3)),
    earliest(KNOWN, Death(), Birthday(22).plus(days=-1)),
    "the time followed, from 3 to 21 years of age",
)
EMERGENCIES = (
    visits_made()
    .where(THIS.field("class_code").one_of("EMER"), THIS.period.starts_during(FOLLOWED))
    .with_any(diagnoses_made(ASTHMA), OTHER.at(THIS))
)

MEASURE = Measure(
    id="AST-2",
    owner="Network's asthma group",
    title="Emergency visits for asthma",
    question="How often do children with asthma go to an emergency department for it?",
    people=("child or young person with asthma", "children and young people with asthma"),
    achievement="emergency visits for asthma",
    rationale="An emergency is asthma out of control: most could be prevented by a plan and an inhaler at hand.",
    sources=("Pediatric Quality Measures Program: asthma emergency department visits in child-years",),
    direction="decrease",
    target=Decimal("15"),
    chart="u",
    cohort=COHORT,
    among=visits_made().in_the_days_up_to_the_end(LAST_STATE_DAYS),
    who=Populations(
        initial=named(
            "Children and young people with asthma, seen in the 395 days up to the end of the period",
            COHORT,
            named("3 to 21 years old on some day of the period", FOLLOWED.lasts()),
            cared_for_here(PERIOD),
        ),
        numerator=named("Seen in an emergency department for asthma", EMERGENCIES.exist()),
    ),
    per="person-time",
    events=EMERGENCIES,
    time=FOLLOWED,
    attribution="The site that saw the person in the last 395 days, while it has the person enrolled or enrols nobody",
    unknown="Who was not seen in 395 days counts no time; who has no full date of birth cannot be followed by age.",
    changes=FIRST_VERSION,
)
