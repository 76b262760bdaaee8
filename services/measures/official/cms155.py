"""CMS155, weight assessment and counselling: children with height, weight and BMI percentile, and counselled on nutrition and activity."""

from services.measures.declared import Definition, Populations
from services.measures.language.codes import LOINC, Code, ValueSet
from services.measures.language.events import THIS
from services.measures.language.moments import PERIOD
from services.measures.language.truths import Named, Surely, Truth, all_of, any_of, named, not_
from services.measures.language.vocabulary import age_at
from services.measures.official.cms165 import PREGNANCY
from services.measures.official.common import HOME_CARE, OFFICE, TELEPHONE, hospice
from services.measures.official.editions import FINAL, OF_NOT, OF_REFUTED, Edition, begun, observed

KINDS = (
    OFFICE,
    ValueSet("2.16.840.1.113883.3.464.1003.101.12.1026", "Preventive Care Services Individual Counseling"),
    ValueSet("2.16.840.1.113883.3.464.1003.101.12.1024", "Preventive Care, Established Office Visit, 0 to 17"),
    ValueSet("2.16.840.1.113883.3.464.1003.101.12.1022", "Preventive Care Services, Initial Office Visit, 0 to 17"),
    ValueSet("2.16.840.1.113883.3.464.1003.101.12.1027", "Preventive Care Services Group Counseling"),
    HOME_CARE,
    TELEPHONE,
)
NUTRITION = ValueSet("2.16.840.1.113883.3.464.1003.195.12.1003", "Counseling for Nutrition")
ACTIVITY = ValueSet("2.16.840.1.113883.3.464.1003.118.12.1035", "Counseling for Physical Activity")
# US Core: the profile of BMI is known by the first, that of the percentile by the second.
BMI = (Code(LOINC, "39156-5", "body mass index"), Code(LOINC, "59576-9", "BMI percentile for age and sex"))
HEIGHT, WEIGHT = Code(LOINC, "8302-2", "body height"), Code(LOINC, "29463-7", "body weight")

LEFT_OUT = ("number-withheld", "unit-of-another")
"""Flags of results whose amount stays at the site."""


def definition(edition: Edition) -> Definition:
    """The measure of a year: three rates over one denominator."""
    return Definition(
        id="CMS155",
        version=str(edition.year),
        title="Weight assessment and counselling for children and adolescents",
        sources=(
            "CMS155, Weight Assessment and Counseling for Nutrition and Physical Activity for Children/Adolescents "
            "(FHIR, eCQI Resource Center)",
        ),
        sentence="Children and adolescents who were weighed and measured, and counselled on nutrition and on activity.",
        direction="increase",
        differs=(OF_REFUTED, OF_NOT),
        groups=tuple(_rate(edition, numerator) for numerator in _numerators(edition)),
    )


def _rate(edition: Edition, numerator: Named) -> Populations:
    visited = edition.visits(*KINDS).where(THIS.period.during(PERIOD))
    pregnant = edition.diagnoses(PREGNANCY).where(THIS.prevalence.overlaps(PERIOD).timed)
    return Populations(
        initial=named(
            "3 to 17 years old with a visit", age_at(PERIOD.end, 3, 17), named("Visit in the period", visited.exist())
        ),
        exclusions=named("Exclusions", any_of(hospice(edition), named("Pregnancy in the period", pregnant.exist()))),
        numerator=numerator,
        strata=(
            named("3 to 11 years old", age_at(PERIOD.end, 3, 11)),
            named("12 to 17 years old", age_at(PERIOD.end, 12, 17)),
        ),
    )


def _numerators(edition: Edition) -> tuple[Named, Named, Named]:
    return (
        named("Height, weight and BMI percentile", _measured(*BMI), _measured(HEIGHT), _measured(WEIGHT)),
        named("Counselled on nutrition", _counselled(edition, NUTRITION)),
        named("Counselled on physical activity", _counselled(edition, ACTIVITY)),
    )


def _measured(*codes: Code) -> Truth:
    """As published with an amount, also one that our records leave out; a bound (`< 140 cm`) is none (FHIRHelpers)."""
    left_out = Surely(THIS.field("flags").one_of(*LEFT_OUT))
    amount = all_of(any_of(THIS.value.known, left_out), not_(THIS.field("comparator").known))
    of_period = observed(*codes).where(THIS.field("status").one_of(*FINAL), begun(), named("an amount", amount))
    return of_period.where(THIS.effective.during(PERIOD)).exist()


def _counselled(edition: Edition, kind: ValueSet) -> Truth:
    return edition.interventions(kind).where(THIS.performed.during(PERIOD)).exist()
