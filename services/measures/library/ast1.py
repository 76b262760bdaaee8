"""AST-1, control of asthma: people of 12 years or more whose last Asthma Control Test is 20 or more."""

from decimal import Decimal

from services.measures.declared import Measure, Populations
from services.measures.language.events import THIS
from services.measures.language.truths import named
from services.measures.language.vocabulary import diagnosed, measured
from services.measures.library.code_sets import code_set
from services.measures.library.shared import FIRST_VERSION, VISITS, seen_at

COHORT = named("Asthma", diagnosed(code_set("asthma")))
SCORES = measured(code_set("asthma-control-test")).in_period().usable("5", "25").where(THIS.value.decides(">=", "20"))
LAST = SCORES.last("the last Asthma Control Test of the period")

MEASURE = Measure(
    id="AST-1",
    owner="Network's asthma group",
    title="Control of asthma",
    question="How many people with asthma have it well controlled?",
    people=("person of 12 years or more with asthma", "people of 12 years or more with asthma"),
    achievement="an Asthma Control Test of 20 or more",
    rationale="Well controlled asthma lets people sleep, play and stay out of the emergency department.",
    sources=("Nathan RA et al. J Allergy Clin Immunol 2004;113:59-65, doi:10.1016/j.jaci.2003.09.008",),
    direction="increase",
    target=Decimal("0.75"),
    chart="p",
    cohort=COHORT,
    among=VISITS,
    who=Populations(
        initial=named("People with asthma of 12 years or more who were seen", COHORT, seen_at(12)),
        denominator=named("With an Asthma Control Test in the period", LAST.exists()),
        numerator=named("The last test is 20 or more", LAST.event.value.compare(">=", "20")),
    ),
    unknown="People seen in the period without an Asthma Control Test.",
    changes=FIRST_VERSION,
)
