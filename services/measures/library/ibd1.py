"""IBD-1, remission: young people with inflammatory bowel disease whose physician calls the disease quiescent (ImproveCareNow)."""

from decimal import Decimal

from services.measures.declared import Measure, Populations
from services.measures.language.truths import named
from services.measures.language.vocabulary import derived, diagnosed
from services.measures.library.code_sets import code_set
from services.measures.library.shared import FIRST_VERSION, VISITS, seen_at

COHORT = named("Inflammatory bowel disease", diagnosed(code_set("inflammatory-bowel-disease")))
LAST = (
    derived("pga-state", "physician's global assessments").in_period().last("the last global assessment of the period")
)
INITIAL = named("Young people with inflammatory bowel disease who were seen", COHORT, seen_at(0, 20))
ASSESSED = named("With a physician's global assessment in the period", LAST.exists())

MEASURE = Measure(
    id="IBD-1",
    owner="Network's inflammatory bowel disease group",
    title="Remission of inflammatory bowel disease",
    question="How many young people with inflammatory bowel disease are in remission?",
    people=("young person with inflammatory bowel disease", "young people with inflammatory bowel disease"),
    achievement="quiescent disease by their physician's word",
    rationale="A disease at rest lets a child grow, learn and sleep; the network has raised the share in remission for years.",
    sources=("ImproveCareNow: remission by physician global assessment, quiescent",),
    direction="increase",
    target=Decimal("0.85"),
    chart="p",
    cohort=COHORT,
    among=VISITS,
    who=Populations(
        initial=INITIAL,
        denominator=ASSESSED,
        numerator=named(
            "The last global assessment says remission", LAST.event.field("value_code").one_of("remission")
        ),
    ),
    unknown="Young people seen in the period whose physician gave no global assessment.",
    changes=FIRST_VERSION,
)
