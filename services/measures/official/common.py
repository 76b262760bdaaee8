"""Conditions that several published measures share."""

from services.measures.language.codes import LOINC, SNOMED, Code, ValueSet
from services.measures.language.events import THIS
from services.measures.language.moments import PERIOD, Between
from services.measures.language.truths import Named, Surely, all_of, any_of, named, not_
from services.measures.language.vocabulary import age_at
from services.measures.official.editions import Edition, begun

INPATIENT = ValueSet("2.16.840.1.113883.3.666.5.307", "Encounter Inpatient")
HOSPICE_VISIT = ValueSet("2.16.840.1.113883.3.464.1003.1003", "Hospice Encounter")
HOSPICE_CARE = ValueSet("2.16.840.1.113883.3.526.3.1584", "Hospice Care Ambulatory")
HOSPICE_DIAGNOSIS = ValueSet("2.16.840.1.113883.3.464.1003.1165", "Hospice Diagnosis")
TO_HOSPICE = (
    Code(SNOMED, "428361000124107", "discharged home for hospice care"),
    Code(SNOMED, "428371000124100", "discharged to a facility for hospice care"),
)
HOSPICE_ASKED = Code(LOINC, "45755-6", "whether in hospice care")
YES = Code(SNOMED, "373066001", "yes")

PALLIATIVE_ASKED = Code(LOINC, "71007-9", "the palliative care questionnaire FACIT-Pal")
PALLIATIVE_DIAGNOSIS = ValueSet("2.16.840.1.113883.3.464.1003.1167", "Palliative Care Diagnosis")
PALLIATIVE_VISIT = ValueSet("2.16.840.1.113883.3.464.1003.101.12.1090", "Palliative Care Encounter")
PALLIATIVE_CARE = ValueSet("2.16.840.1.113883.3.464.1003.198.12.1135", "Palliative Care Intervention")

FRAILTY_DEVICE = ValueSet("2.16.840.1.113883.3.464.1003.118.12.1300", "Frailty Device")
FRAILTY_DIAGNOSIS = ValueSet("2.16.840.1.113883.3.464.1003.113.12.1074", "Frailty Diagnosis")
FRAILTY_VISIT = ValueSet("2.16.840.1.113883.3.464.1003.101.12.1088", "Frailty Encounter")
FRAILTY_SYMPTOM = ValueSet("2.16.840.1.113883.3.464.1003.113.12.1075", "Frailty Symptom")
ADVANCED_ILLNESS = ValueSet("2.16.840.1.113883.3.464.1003.110.12.1082", "Advanced Illness")
DEMENTIA_DRUGS = ValueSet("2.16.840.1.113883.3.464.1003.196.12.1510", "Dementia Medications")
EQUIPMENT_ASKED = Code(LOINC, "98181-1", "medical equipment used")
HOUSING_ASKED = Code(LOINC, "71802-3", "housing status")
NURSING_HOME = Code(SNOMED, "160734000", "lives in a nursing home")

OFFICE = ValueSet("2.16.840.1.113883.3.464.1003.101.12.1001", "Office Visit")
WELLNESS = ValueSet("2.16.840.1.113883.3.526.3.1240", "Annual Wellness Visit")
ESTABLISHED_ADULT = ValueSet(
    "2.16.840.1.113883.3.464.1003.101.12.1025", "Preventive Care Services Established Office Visit, 18 and Up"
)
INITIAL_ADULT = ValueSet(
    "2.16.840.1.113883.3.464.1003.101.12.1023", "Preventive Care Services Initial Office Visit, 18 and Up"
)
HOME_CARE = ValueSet("2.16.840.1.113883.3.464.1003.101.12.1016", "Home Healthcare Services")
VIRTUAL = ValueSet("2.16.840.1.113883.3.464.1003.101.12.1089", "Virtual Encounter")
TELEPHONE = ValueSet("2.16.840.1.113883.3.464.1003.101.12.1080", "Telephone Visits")

YEAR_BEFORE_OR_PERIOD = Between(PERIOD.start.plus(years=-1), PERIOD.end, "the period or the year before")


def adult_outpatient_visit(edition: Edition) -> Named:
    """A visit of the kinds that count for adults, in the measurement period."""
    kinds = (OFFICE, WELLNESS, ESTABLISHED_ADULT, INITIAL_ADULT, HOME_CARE, VIRTUAL, TELEPHONE)
    return named("Outpatient visit in the period", edition.visits(*kinds).where(THIS.period.during(PERIOD)).exist())


def hospice(edition: Edition) -> Named:
    """Hospice care in the measurement period, in any of the ways it is recorded."""
    return named(
        "Hospice care in the period",
        any_of(
            edition.visits(INPATIENT)
            .where(THIS.field("discharge_disposition").coded(*TO_HOSPICE), THIS.period.ends_during(PERIOD))
            .exist(),
            edition.visits(HOSPICE_VISIT).where(THIS.period.overlaps(PERIOD)).exist(),
            edition.assessments(HOSPICE_ASKED)
            .where(THIS.field("value_codings").coded(YES), THIS.effective.overlaps(PERIOD))
            .exist(),
            edition.services(HOSPICE_CARE).where(THIS.authored.during(PERIOD)).exist(),
            edition.interventions(HOSPICE_CARE).where(THIS.performed.overlaps(PERIOD)).exist(),
            edition.diagnoses(HOSPICE_DIAGNOSIS).where(THIS.prevalence.overlaps(PERIOD)).exist(),
        ),
    )


def palliative(edition: Edition) -> Named:
    """Palliative care in the measurement period."""
    return named(
        "Palliative care in the period",
        any_of(
            edition.assessments(PALLIATIVE_ASKED).where(THIS.effective.overlaps(PERIOD)).exist(),
            edition.diagnoses(PALLIATIVE_DIAGNOSIS).where(THIS.prevalence.overlaps(PERIOD)).exist(),
            edition.visits(PALLIATIVE_VISIT).where(THIS.period.overlaps(PERIOD)).exist(),
            edition.interventions(PALLIATIVE_CARE).where(THIS.performed.overlaps(PERIOD)).exist(),
        ),
    )


def frail(edition: Edition) -> Named:
    """A sign of frailty in the measurement period."""
    return named(
        "Frailty in the period",
        any_of(
            edition.devices(FRAILTY_DEVICE).where(THIS.authored.during(PERIOD)).exist(),
            edition.assessments(EQUIPMENT_ASKED)
            .where(THIS.field("value_codings").coded(FRAILTY_DEVICE), THIS.effective.ends_during(PERIOD))
            .exist(),
            edition.diagnoses(FRAILTY_DIAGNOSIS).where(THIS.prevalence.overlaps(PERIOD)).exist(),
            edition.visits(FRAILTY_VISIT).where(THIS.period.overlaps(PERIOD)).exist(),
            edition.symptoms(FRAILTY_SYMPTOM).where(THIS.effective.overlaps(PERIOD)).exist(),
        ),
    )


def advanced_illness(edition: Edition) -> Named:
    """An advanced illness that began, or a medication for dementia, in the period or the year before.

    As published an order of which nobody knows how long it supplies counts, whenever it was written (CQL: an interval that is turned
    from days to instants has no bounds where it is null). Until 2025 it asks for the order's own code, not a Medication resource's.
    """
    began = edition.diagnoses(ADVANCED_ILLNESS).where(THIS.prevalence.starts_during(YEAR_BEFORE_OR_PERIOD), begun())
    beside = named("supplies none of it", not_(THIS.supply.overlaps(YEAR_BEFORE_OR_PERIOD)))
    drugs = edition.medications(DEMENTIA_DRUGS, statuses=("active",)).where(not_(Surely(beside)))
    if edition.year == 2025:
        drugs = drugs.where(not_(THIS.field("drug_by_reference").known))
    return named("Advanced illness or dementia medication, up to a year before", any_of(began.exist(), drugs.exist()))


def nursing_home(edition: Edition) -> Named:
    """Aged 66 or more, and in a nursing home by what was last said of the housing."""
    asked = edition.assessments(HOUSING_ASKED).where(THIS.effective.ends_no_later_than(PERIOD))
    last = asked.last("the last answer on housing", by=THIS.effective.end)
    return named(
        "66 or older and living in a nursing home",
        age_at(PERIOD.end, 66),
        last.event.field("value_codings").coded(NURSING_HOME),
    )


def frail_and_ill_from_66(edition: Edition) -> Named:
    """Aged 66 or more, frail and with an advanced illness."""
    return named(
        "66 or older with advanced illness and frailty",
        all_of(age_at(PERIOD.end, 66), frail(edition), advanced_illness(edition)),
    )


def frail_and_ill_to_80_or_frail(edition: Edition) -> Named:
    """Aged 66 to 80, frail and with an advanced illness; or 81 and frail."""
    return named(
        "66 to 80 with advanced illness and frailty, or 81 and older with frailty",
        any_of(
            all_of(age_at(PERIOD.end, 66, 80), frail(edition), advanced_illness(edition)),
            all_of(age_at(PERIOD.end, 81), frail(edition)),
        ),
    )
