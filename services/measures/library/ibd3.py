"""IBD-3, remission without steroids: as IBD-1, and on no systemic steroid at the last visit."""

from decimal import Decimal

from services.measures.declared import Measure, Populations
from services.measures.language.truths import named, not_
from services.measures.language.vocabulary import derived, diagnosed
from services.measures.library.code_sets import code_set
from services.measures.library.shared import FIRST_VERSION, VISITS, on_systemic_steroids, seen_at

COHORT = named("Inflammatory bowel disease", diagnosed(code_set("inflammatory-bowel-disease")))
LAST = (
    derived("pga-state", "physician's global assessments").in_period().last("the last global assessment of the period")
)

MEASURE = Measure(
    id="IBD-3",
    owner="Network's inflammatory bowel disease group",
    title="Remission without steroids",
    question="How many young people with inflammatory bowel disease are in remission without steroids?",
    people=("young person with inflammatory bowel disease", "young people with inflammatory bowel disease"),
    achievement="quiescent disease without a systemic steroid",
    rationale="Steroids quieten the bowel and stunt growth: remission that needs them is not the goal.",
    sources=("ImproveCareNow: steroid-free remission",),
    direction="increase",
    target=Decimal("0.8"),
    chart="p",
    cohort=COHORT,
    among=VISITS,
    who=Populations(
        initial=named("Young people with inflammatory bowel disease who were seen", COHORT, seen_at(0, 20)),
        denominator=named("With a physician's global assessment in the period", LAST.exists()),
        numerator=named(
            "In remission without steroids",
            named("The last global assessment says remission", LAST.event.field("value_code").one_of("remission")),
            named("No systemic steroid on the day of the last visit", not_(on_systemic_steroids())),
        ),
    ),
    unknown="Young people seen in the period whose physician gave no global assessment.",
    changes=FIRST_VERSION,
)
