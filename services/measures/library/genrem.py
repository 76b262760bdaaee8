"""GEN-REM, remission of depression: people with a PHQ-9 above 9 who are below 5 a year later, 60 days more or less (variant of CMS159)."""

from decimal import Decimal

from services.measures.declared import Measure, Populations
from services.measures.language.events import THIS
from services.measures.language.moments import PERIOD, Between
from services.measures.language.truths import any_of, named
from services.measures.language.vocabulary import age_at, cared_for_here, diagnosed, died, measured
from services.measures.library.code_sets import code_set
from services.measures.library.shared import FIRST_VERSION

COHORT = named("Depression", diagnosed(code_set("depression")))
PHQ9 = measured(code_set("phq-9")).usable("0", "27")
DUE = THIS.effective.start.plus(months=12, days=60).during(PERIOD)
"""Its second assessment can be a year later, or up to 60 days after that: in the period that time is over."""
HIGH = PHQ9.where(THIS.value.compare(">", "9"), DUE)
INDEX = HIGH.first("the first PHQ-9 above 9 whose year, and 60 days, is over in the period")
YEAR_LATER = Between(
    INDEX.event.effective.start.plus(months=12, days=-60),
    INDEX.event.effective.start.plus(months=12, days=60),
    "a year later, 60 days more or less",
)
LATER = PHQ9.where(THIS.effective.start.during(YEAR_LATER)).last("the last PHQ-9 a year later")

MEASURE = Measure(
    id="GEN-REM",
    owner="Network's general care group",
    title="Remission of depression at twelve months",
    question="How many people with depression are in remission a year after a high PHQ-9?",
    people=("person with a high PHQ-9 a year ago", "people with a high PHQ-9 a year ago"),
    achievement="a PHQ-9 below 5 a year later",
    rationale="Half of all treatments for depression stop too early; a year tells whether help lasted.",
    sources=("CMS159, Depression Remission at Twelve Months (eCQI Resource Center), by the network's own code sets",),
    direction="increase",
    target=Decimal("0.2"),
    chart="p",
    cohort=COHORT,
    among=HIGH,
    who=Populations(
        initial=named(
            "People with depression and a PHQ-9 above 9 whose year is over in the period",
            COHORT,
            named("12 years or older then", age_at(INDEX.event.effective.start, 12)),
            cared_for_here(PERIOD),
        ),
        denominator=named("Asked again a year later", LATER.exists()),
        exclusions=named(
            "Died, or bipolar disorder", any_of(died(YEAR_LATER), diagnosed(code_set("bipolar-disorder")))
        ),
        numerator=named("The last PHQ-9 a year later is below 5", LATER.event.value.compare("<", "5")),
    ),
    attribution="The site of the first PHQ-9, while it has the person enrolled or enrols nobody",
    unknown="People who were not asked again. (The published measure counts them as not in remission.)",
    changes=FIRST_VERSION,
)
