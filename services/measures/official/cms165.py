"""CMS165, controlling high blood pressure: adults with essential hypertension whose last blood pressure was below 140/90 mmHg."""

from services.measures.declared import Definition, Populations
from services.measures.language.codes import LOINC, Code, ValueSet
from services.measures.language.events import OTHER, THIS, Field, Linked, Series
from services.measures.language.moments import PERIOD, Between
from services.measures.language.truths import Named, Surely, any_of, named, not_
from services.measures.language.vocabulary import age_at
from services.measures.official.common import (
    INPATIENT,
    adult_outpatient_visit,
    frail_and_ill_to_80_or_frail,
    hospice,
    nursing_home,
    palliative,
)
from services.measures.official.editions import FINAL, OF_CONTAINED, OF_NOT, OF_REFUTED, Edition, observed

HYPERTENSION = ValueSet("2.16.840.1.113883.3.464.1003.104.12.1011", "Essential Hypertension")
EMERGENCY = ValueSet("2.16.840.1.113883.3.464.1003.101.12.1010", "Emergency Department Evaluation and Management Visit")
PREGNANCY = ValueSet("2.16.840.1.113883.3.526.3.378", "Pregnancy")
KIDNEY = (
    ValueSet("2.16.840.1.113883.3.526.3.353", "End Stage Renal Disease"),
    ValueSet("2.16.840.1.113883.3.464.1003.109.12.1029", "Kidney Transplant Recipient"),
    ValueSet("2.16.840.1.113883.3.526.3.1002", "Chronic Kidney Disease, Stage 5"),
)
KIDNEY_PROCEDURES = (
    ValueSet("2.16.840.1.113883.3.464.1003.109.12.1012", "Kidney Transplant"),
    ValueSet("2.16.840.1.113883.3.464.1003.109.12.1013", "Dialysis Services"),
)
KIDNEY_VISIT = ValueSet("2.16.840.1.113883.3.464.1003.109.12.1014", "ESRD Monthly Outpatient Services")
BLOOD_PRESSURE = Code(LOINC, "85354-9", "blood pressure panel")
SYSTOLIC = Code(LOINC, "8480-6", "systolic blood pressure")
DIASTOLIC = Code(LOINC, "8462-4", "diastolic blood pressure")
# v3-ActCode: emergency, inpatient, acute, non-acute, pre-admission, short stay
NOT_OUTPATIENT = ("EMER", "IMP", "ACUTE", "NONAC", "PRENC", "SS")
FIRST_HALF = Between(PERIOD.start, PERIOD.start.plus(months=6, days=-1), "the first half of the period")


def definition(edition: Edition) -> Definition:
    """The measure of a year."""
    return Definition(
        id="CMS165",
        version=str(edition.year),
        title="Controlling high blood pressure",
        sources=("CMS165, Controlling High Blood Pressure (FHIR, eCQI Resource Center)",),
        sentence="Adults with high blood pressure whose last reading of the year was below 140 over 90.",
        direction="increase",
        differs=(OF_NOT, OF_REFUTED) if edition.year == 2025 else (OF_NOT, OF_CONTAINED),
        groups=(
            Populations(
                initial=named(
                    "18 to 85 years old with essential hypertension and a visit",
                    age_at(PERIOD.end, 18, 85),
                    named(
                        "Essential hypertension in the first half of the period",
                        edition.diagnoses(HYPERTENSION).where(THIS.prevalence.overlaps(FIRST_HALF).timed).exist(),
                    ),
                    adult_outpatient_visit(edition),
                ),
                exclusions=named("Exclusions", any_of(*_exclusions(edition))),
                numerator=named(
                    "Last blood pressure below 140/90 mmHg",
                    _lowest(edition, SYSTOLIC).compare("<", "140", "mm[Hg]"),
                    _lowest(edition, DIASTOLIC).compare("<", "90", "mm[Hg]"),
                ),
            ),
        ),
    )


def _exclusions(edition: Edition) -> list[Named]:
    kidney = edition.diagnoses(PREGNANCY, *KIDNEY).where(THIS.prevalence.overlaps(PERIOD).timed)
    done = edition.interventions(*KIDNEY_PROCEDURES).where(THIS.performed.ends_no_later_than(PERIOD).timed)
    visited = edition.visits(KIDNEY_VISIT).where(THIS.period.starts_no_later_than(PERIOD).timed)
    return [
        hospice(edition),
        named("Pregnancy or renal disease in the period", kidney.exist()),
        named("Kidney transplant or dialysis", any_of(done.exist(), visited.exist())),
        frail_and_ill_to_80_or_frail(edition),
        nursing_home(edition),
        palliative(edition),
    ]


def _readings(edition: Edition) -> Series:
    """Readings that count: in the period, at no visit of these classes; from 2026 also those not on a day of a stay or an emergency.

    As published: nothing is in a list without nothing (CQL), so a reading at no visit, or at one without a class, counts; and that
    second way does not ask for the measurement period.
    """
    panels = observed(BLOOD_PRESSURE).where(THIS.field("status").one_of(*FINAL))
    at_other_visits = panels.where(
        not_(Surely(Linked(THIS, THIS.field("class_code").one_of(*NOT_OUTPATIENT)))),
        THIS.effective.latest.during(PERIOD),
    )
    if edition.year == 2025:
        return at_other_visits
    stays = edition.visits(INPATIENT, EMERGENCY)
    outside_stays = panels.without_any(stays, THIS.effective.latest.during(OTHER.period))
    return panels.where(any_of(outside_stays.such, at_other_visits.such))


def _lowest(edition: Edition, part: Code) -> Field:
    """The lowest systolic or diastolic value of the last day with a reading."""
    readings = _readings(edition)
    last = readings.last("the last reading", by=THIS.effective.latest)
    that_day = readings.where(THIS.effective.latest.same_day(last.event.effective.latest))
    lowest = that_day.first(
        f"the reading with the lowest {part.meaning} of the last day", by=Field(THIS, "value", part)
    )
    return Field(lowest.event, "value", part)
