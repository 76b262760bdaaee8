"""IBD-2, remission of ulcerative colitis: young people whose activity index PUCAI is below 10 (0 to 85; 65 and more is severe)."""

from decimal import Decimal

from services.measures.declared import Measure, Populations
from services.measures.language.truths import named
from services.measures.language.vocabulary import derived, diagnosed
from services.measures.library.code_sets import code_set
from services.measures.library.shared import FIRST_VERSION, VISITS, seen_at

COHORT = named("Ulcerative colitis", diagnosed(code_set("ulcerative-colitis")))
SCORES = derived("pucai-state", "PUCAI scores").in_period().usable("0", "85")
LAST = SCORES.last("the last PUCAI of the period")

MEASURE = Measure(
    id="IBD-2",
    owner="Network's inflammatory bowel disease group",
    title="Remission of ulcerative colitis",
    question="How many young people with ulcerative colitis have a PUCAI below 10?",
    people=("young person with ulcerative colitis", "young people with ulcerative colitis"),
    achievement="a PUCAI below 10",
    rationale="The index is asked, not taken by a scope: below 10 the bowel is most often at rest.",
    sources=("Turner D et al. Gastroenterology 2007;133:423-32, doi:10.1053/j.gastro.2007.05.029",),
    direction="increase",
    target=Decimal("0.8"),
    chart="p",
    cohort=COHORT,
    among=VISITS,
    who=Populations(
        initial=named("Young people with ulcerative colitis who were seen", COHORT, seen_at(0, 20)),
        denominator=named("With a PUCAI in the period", LAST.exists()),
        numerator=named("The last PUCAI is below 10", LAST.event.value.compare("<", "10")),
    ),
    unknown="Young people seen in the period without a PUCAI.",
    changes=FIRST_VERSION,
)
