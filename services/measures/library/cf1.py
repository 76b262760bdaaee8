"""CF-1, lung function in cystic fibrosis: the median forced expiratory volume of children, as a share of what is predicted."""

from decimal import Decimal

from services.measures.declared import Measure, Populations
from services.measures.language.truths import named
from services.measures.language.vocabulary import derived, diagnosed
from services.measures.library.code_sets import code_set
from services.measures.library.shared import FIRST_VERSION, VISITS, seen_at

COHORT = named("Cystic fibrosis", diagnosed(code_set("cystic-fibrosis")))
VALUES = derived("fev1-percent-predicted-gli2022", "values of FEV1, percent predicted by GLI Global 2022").in_period()
LAST = VALUES.usable("5", "200").last("the last spirometry of the period")
MEASURED = named("With a spirometry in the period", LAST.exists())

MEASURE = Measure(
    id="CF-1",
    owner="Network's lung function group",
    title="Lung function in cystic fibrosis",
    question="How much of the predicted lung function do children with cystic fibrosis have?",
    people=("child with cystic fibrosis", "children with cystic fibrosis"),
    achievement="FEV1, as a share of what is predicted,",
    rationale="Lung function kept in childhood is what most decides how long people with cystic fibrosis live.",
    sources=("Bowerman C et al. Am J Respir Crit Care Med 2023;207:768-74 (GLI Global 2022)",),
    direction="increase",
    target=Decimal("95"),
    unit="%",
    chart="i",
    cohort=COHORT,
    among=VISITS,
    who=Populations(
        initial=named("Children with cystic fibrosis who were seen", COHORT, seen_at(6, 17)),
        denominator=MEASURED,
        numerator=MEASURED,
    ),
    value=LAST.event.value,
    unknown="Children seen in the period without a spirometry.",
    changes=FIRST_VERSION,
)
