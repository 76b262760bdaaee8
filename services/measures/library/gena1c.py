"""GEN-A1C, glycemic status: adults with diabetes whose last HbA1c or GMI of a year is above 9 %, or who have none (variant of CMS122)."""

from decimal import Decimal

from services.measures.declared import Measure, Populations
from services.measures.language.events import THIS
from services.measures.language.truths import any_of, named, not_
from services.measures.language.vocabulary import diagnosed, measured
from services.measures.library.code_sets import code_set
from services.measures.library.shared import FIRST_VERSION, VISITS, seen_at

COHORT = named("Diabetes", diagnosed(code_set("diabetes")))
TESTS = measured(code_set("glycemic-status")).usable("3", "20").in_the_days_up_to_the_end(365)
LAST = TESTS.last("the last test of the 365 days")
THAT_DAY = TESTS.where(THIS.effective.start.same_day(LAST.event.effective.start))
LOWEST = THAT_DAY.first("the lowest test of the last day", by=THIS.value)

MEASURE = Measure(
    id="GEN-A1C",
    owner="Network's general care group",
    title="High or unknown HbA1c in diabetes",
    question="How many adults with diabetes have an HbA1c above 9 %, or none in a year?",
    people=("adult with diabetes", "adults with diabetes"),
    achievement="an HbA1c above 9 %, or none in 12 months",
    rationale="Who is above 9 % or not tested needs a call; each can be named to the site.",
    sources=(
        "CMS122, Glycemic Status Assessment Greater Than 9% (eCQI Resource Center), by the network's own code sets",
    ),
    direction="decrease",
    target=Decimal("0.2"),
    chart="pp",
    cohort=COHORT,
    among=VISITS,
    who=Populations(
        initial=named("Adults with diabetes who were seen", COHORT, seen_at(18, 75)),
        numerator=named(
            "Above 9 %, or unknown",
            any_of(
                named("No test in the 365 days up to the end of the period", not_(TESTS.exist())),
                LOWEST.event.value.compare(">", "9"),
            ),
        ),
    ),
    unknown="Nobody: who has no test counts as not reached.",
    changes=FIRST_VERSION,
)
