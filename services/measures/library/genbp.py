"""GEN-BP, blood pressure: adults with hypertension whose last reading is below 140/90 (network's variant of CMS165)."""

from decimal import Decimal

from services.measures.declared import Measure, Populations
from services.measures.language.events import THIS, Field
from services.measures.language.truths import named
from services.measures.language.vocabulary import diagnosed, measured
from services.measures.library.code_sets import code_set
from services.measures.library.shared import FIRST_VERSION, OUTPATIENT, VISITS, seen_at

COHORT = named("Essential hypertension", diagnosed(code_set("hypertension")))


def _lowest_of_last_day(codes: str, lowest: str, highest: str, noun: str) -> Field:
    """Of several readings of a day the lowest, as in the published measure."""
    readings = measured(code_set(codes)).in_period().usable(lowest, highest).where(OUTPATIENT)
    last = readings.last(f"the last {noun} of the period")
    that_day = readings.where(THIS.effective.start.same_day(last.event.effective.start))
    return that_day.first(f"the lowest {noun} of the last day", by=THIS.value).event.value


SYSTOLIC = _lowest_of_last_day("systolic-blood-pressure", "30", "300", "systolic blood pressure")
DIASTOLIC = _lowest_of_last_day("diastolic-blood-pressure", "20", "150", "diastolic blood pressure")

MEASURE = Measure(
    id="GEN-BP",
    owner="Network's general care group",
    title="Controlled blood pressure",
    question="How many adults with high blood pressure have it below 140 over 90?",
    people=("adult with high blood pressure", "adults with high blood pressure"),
    achievement="a last reading below 140 over 90",
    rationale="Every 10 mmHg less spares one stroke in four.",
    sources=(
        "CMS165, Controlling High Blood Pressure (eCQI Resource Center), by the network's own code sets and visit classes",
    ),
    direction="increase",
    target=Decimal("0.8"),
    chart="pp",
    cohort=COHORT,
    among=VISITS,
    who=Populations(
        initial=named("Adults with essential hypertension who were seen", COHORT, seen_at(18, 85)),
        denominator=named(
            "With a reading in the period, not of a stay or an emergency", SYSTOLIC.known, DIASTOLIC.known
        ),
        numerator=named("Below 140 over 90", SYSTOLIC.compare("<", "140"), DIASTOLIC.compare("<", "90")),
    ),
    unknown="Adults seen in the period without a reading. (The published measure counts them as not controlled.)",
    changes=FIRST_VERSION,
)
