"""The Outcome Common Data Model (OCDM) 0.1: one class per record type.

Names follow OMOP CDM 5.4, PCORnet CDM 7 and FHIR R4 where they have one. Every time stands twice: as an instant in UTC
(absent where the source gives a date only) and as the site's local date (`*_date`). Raw codes, values and units stand
beside the normalised ones. Null flavours (`NI` no information, `UN` unknown, `OT` other) as in PCORnet.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

OCDM_VERSION = "0.1"

RecordId = Annotated[str, Field(pattern=r"^r-[0-9a-f]{32}$")]
SubjectId = Annotated[str, Field(pattern=r"^s-[0-9a-f]{32}$")]
PartialDate = Annotated[str, Field(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")]
"""A calendar date as precise as its source: year, month or day."""
Number = Annotated[
    Decimal,
    PlainSerializer(lambda value: float(value), return_type=float, when_used="json"),
    WithJsonSchema({"type": "number"}),
]
NullFlavour = Literal["NI", "UN", "OT"]


def fact(
    description: str,
    *,
    source: str,
    terminology: str | None = None,
    unit: str | None = None,
    default: Any = None,
    default_factory: Callable[[], Any] | None = None,
    required: bool = False,
) -> Any:
    """One field of a record: what it says, from which FHIR R4 path, in which terminology and unit."""
    extra: dict[str, Any] = {"source": source} | {k: v for k, v in (("terminology", terminology), ("unit", unit)) if v}
    if required:
        return Field(description=description, json_schema_extra=extra)
    if default_factory is not None:
        return Field(description=description, json_schema_extra=extra, default_factory=default_factory)
    return Field(description=description, json_schema_extra=extra, default=default)


class Coding(BaseModel):
    """A code in a code system, as the source gave it. Display texts are not carried: they may be licensed or free text."""

    model_config = ConfigDict(extra="ignore")

    system: str | None = Field(default=None, description="Code system URI, repaired where only white space was wrong.")
    code: str = Field(description="The code.")


Codings = list[Coding]


class Record(BaseModel):
    """What every outcome record carries."""

    model_config = ConfigDict(extra="ignore")

    id: RecordId = Field(
        description="Keyed hash of the source resource (and part of it); stable over time at one site."
    )
    subject: SubjectId = Field(description="Pseudonym of the patient: HMAC-SHA-256 under the site's key, 128 bits.")
    site: str = Field(description="The site whose EHR holds the source.")


class Person(Record):
    """A patient of a site (OMOP person and death; PCORnet DEMOGRAPHIC and DEATH)."""

    type: Literal["person"] = "person"
    birth_date: PartialDate | None = fact("Date of birth.", source="Patient.birthDate")
    sex: str | None = fact("Administrative gender.", source="Patient.gender", terminology="FHIR administrative-gender")
    race: list[str] = fact(
        "Race categories the patient reported, or null flavours.",
        source="Patient.extension us-core-race ombCategory",
        terminology="CDC race and ethnicity 2.16.840.1.113883.6.238; NI UN OT",
        default_factory=list,
    )
    ethnicity: str | None = fact(
        "Ethnicity category.",
        source="Patient.extension us-core-ethnicity ombCategory",
        terminology="CDC race and ethnicity 2.16.840.1.113883.6.238; NI UN OT",
    )
    zip5: str | None = fact("ZIP code of the home address, five digits.", source="Patient.address.postalCode")
    language: str | None = fact("Preferred language.", source="Patient.communication.language", terminology="BCP 47")
    deceased: bool | None = fact("Whether the patient has died.", source="Patient.deceased[x]")
    death_date: PartialDate | None = fact("Local date of death.", source="Patient.deceasedDateTime")


class Consent(Record):
    """What a patient permits (PCORnet TRIAL_WITHDRAW_DATE)."""

    type: Literal["consent"] = "consent"
    scope: Literal["qi", "research", "recontact", "pro"] = fact(
        "For what.", source="Consent.provision.purpose", required=True
    )
    decision: Literal["permit", "deny", "withdrawn"] = fact(
        "The decision.", source="Consent.provision.type", required=True
    )
    effective: datetime | None = fact("From when, UTC.", source="Consent.dateTime")
    effective_date: PartialDate | None = fact("From which local date.", source="Consent.dateTime")
    policy_version: str | None = fact("Version of the consent policy agreed to.", source="Consent.policy.uri")


class Enrolment(Record):
    """Membership of a patient in a registry (OMOP episode; PCORnet ENROLLMENT)."""

    type: Literal["enrolment"] = "enrolment"
    registry: str = fact("The registry.", source="Group.code, EpisodeOfCare.type", required=True)
    diagnosis_date: PartialDate | None = fact("Local date of diagnosis.", source="Condition.onset[x]")
    start_date: PartialDate | None = fact("Local date of enrolment.", source="EpisodeOfCare.period.start")
    end_date: PartialDate | None = fact("Local date the enrolment ended.", source="EpisodeOfCare.period.end")
    status: Literal["active", "transferred", "transitioned", "lost", "died"] = fact(
        "Status of the enrolment.", source="EpisodeOfCare.status", required=True
    )


class Encounter(Record):
    """A visit (OMOP visit_occurrence; PCORnet ENCOUNTER)."""

    type: Literal["encounter"] = "encounter"
    class_code: str | None = fact(
        "Class of the visit.", source="Encounter.class", terminology="v3-ActCode AMB EMER IMP VR …"
    )
    types: Codings = fact(
        "Kinds of visit.", source="Encounter.type", terminology="SNOMED CT, CPT", default_factory=list
    )
    reasons: Codings = fact("Reasons for the visit.", source="Encounter.reasonCode", default_factory=list)
    start: datetime | None = fact("Start, UTC.", source="Encounter.period.start")
    start_date: PartialDate | None = fact("Local date of the start.", source="Encounter.period.start")
    end: datetime | None = fact("End, UTC.", source="Encounter.period.end")
    end_date: PartialDate | None = fact("Local date of the end.", source="Encounter.period.end")
    status: str | None = fact(
        "Status, planned visits included.", source="Encounter.status", terminology="FHIR encounter-status"
    )


class Condition(Record):
    """A diagnosis or problem (OMOP condition_occurrence; PCORnet CONDITION, DIAGNOSIS)."""

    type: Literal["condition"] = "condition"
    code: str | None = fact("Normalised code.", source="Condition.code", terminology="SNOMED CT")
    icd10cm: str | None = fact("Diagnosis code.", source="Condition.code", terminology="ICD-10-CM")
    codings: Codings = fact("Every coding of the source.", source="Condition.code", default_factory=list)
    category: list[str] = fact(
        "Categories.", source="Condition.category", terminology="FHIR condition-category", default_factory=list
    )
    clinical_status: str | None = fact(
        "Clinical status.", source="Condition.clinicalStatus", terminology="FHIR condition-clinical"
    )
    verification_status: str | None = fact(
        "Verification status.", source="Condition.verificationStatus", terminology="FHIR condition-ver-status"
    )
    onset: datetime | None = fact("Onset, UTC.", source="Condition.onsetDateTime, onsetPeriod.start")
    onset_date: PartialDate | None = fact("Local date of onset.", source="Condition.onsetDateTime, onsetPeriod.start")
    abatement: datetime | None = fact("Abatement, UTC.", source="Condition.abatementDateTime, abatementPeriod.end")
    abatement_date: PartialDate | None = fact(
        "Local date of abatement.", source="Condition.abatementDateTime, abatementPeriod.end"
    )
    recorded_date: PartialDate | None = fact("Local date of recording.", source="Condition.recordedDate")
    encounter: RecordId | None = fact("The visit it was recorded at.", source="Condition.encounter")


class Observation(Record):
    """A measurement or finding; each component is a record of its own (OMOP measurement, observation; PCORnet VITAL, LAB_RESULT_CM)."""

    type: Literal["observation"] = "observation"
    code: str | None = fact("Normalised code.", source="Observation.code, component.code", terminology="LOINC")
    codings: Codings = fact(
        "Every coding of the source.", source="Observation.code, component.code", default_factory=list
    )
    category: list[str] = fact(
        "Categories.", source="Observation.category", terminology="FHIR observation-category", default_factory=list
    )
    value: Number | None = fact(
        "Value in `unit`.", source="Observation.valueQuantity, valueInteger", unit="as in `unit`"
    )
    unit: str | None = fact(
        "Unit of `value`; one unit a code.", source="Observation.valueQuantity.code", terminology="UCUM"
    )
    raw_value: str | None = fact("The number exactly as the source wrote it.", source="Observation.valueQuantity.value")
    raw_unit: str | None = fact("The source's unit code.", source="Observation.valueQuantity.code, unit")
    comparator: str | None = fact(
        "< <= >= > where the value is a bound.", source="Observation.valueQuantity.comparator"
    )
    value_code: str | None = fact(
        "Coded value, normalised.", source="Observation.valueCodeableConcept", terminology="SNOMED CT, LOINC answers"
    )
    value_codings: Codings = fact(
        "Every coding of the value.", source="Observation.valueCodeableConcept", default_factory=list
    )
    absent: NullFlavour | None = fact(
        "Why there is no value.", source="Observation.dataAbsentReason", terminology="NI UN OT"
    )
    interpretation: str | None = fact(
        "Interpretation.", source="Observation.interpretation", terminology="v3-ObservationInterpretation"
    )
    effective: datetime | None = fact("When it was true, UTC.", source="Observation.effective[x]")
    effective_date: PartialDate | None = fact("Local date when it was true.", source="Observation.effective[x]")
    status: str | None = fact(
        "Status of the result.", source="Observation.status", terminology="FHIR observation-status"
    )
    parent: RecordId | None = fact("The record this is a component of.", source="Observation.component")
    parts: list[RecordId] = fact("Records of the components.", source="Observation.component", default_factory=list)
    encounter: RecordId | None = fact("The visit it belongs to.", source="Observation.encounter")


class DerivedObservation(Record):
    """A value we computed; never overwrites a source value (OMOP measurement)."""

    type: Literal["derived_observation"] = "derived_observation"
    quantity: str = fact("What was computed: z-score, percentile, percent predicted.", source="computed", required=True)
    value: Number = fact("The value.", source="computed", unit="as in `unit`", required=True)
    unit: str | None = fact("Unit of `value`.", source="computed", terminology="UCUM")
    method: str = fact("Reference and method.", source="computed", required=True)
    method_version: str = fact("Version of the method.", source="computed", required=True)
    inputs: list[RecordId] = fact("Records it was computed from.", source="computed", default_factory=list)
    effective: datetime | None = fact("When it was true, UTC.", source="the inputs")
    effective_date: PartialDate | None = fact("Local date when it was true.", source="the inputs")


class DiseaseAssessment(Record):
    """A disease activity score or state (OMOP observation; PCORnet PRO_CM)."""

    type: Literal["disease_assessment"] = "disease_assessment"
    instrument: str = fact("PGA, PUCAI, sPCDAI, cJADAS10 …", source="Observation.code, Questionnaire", required=True)
    score: Number | None = fact("The score.", source="Observation.value[x]", unit="{score}")
    state: Literal["remission", "mild", "moderate", "severe"] | None = fact(
        "State of the disease.", source="Observation.value[x]"
    )
    focus: RecordId | None = fact("The condition assessed.", source="Observation.focus")
    effective: datetime | None = fact("When it was assessed, UTC.", source="Observation.effective[x]")
    effective_date: PartialDate | None = fact("Local date of the assessment.", source="Observation.effective[x]")


class ProResponse(Record):
    """One answer or score of a patient-reported outcome instrument (PCORnet PRO_CM)."""

    type: Literal["pro_response"] = "pro_response"
    instrument: str = fact("The instrument.", source="QuestionnaireResponse.questionnaire", required=True)
    instrument_version: str | None = fact("Its version.", source="QuestionnaireResponse.questionnaire")
    code: str | None = fact("Item or score.", source="QuestionnaireResponse.item.linkId", terminology="LOINC")
    value: Number | None = fact("Numeric answer or score.", source="QuestionnaireResponse.item.answer", unit="{score}")
    value_code: str | None = fact(
        "Coded answer.", source="QuestionnaireResponse.item.answer", terminology="LOINC answers"
    )
    reporter: Literal["self", "proxy"] | None = fact("Who answered.", source="QuestionnaireResponse.source")
    mode: str | None = fact("How it was answered.", source="QuestionnaireResponse.extension")
    effective: datetime | None = fact("When it was answered, UTC.", source="QuestionnaireResponse.authored")
    effective_date: PartialDate | None = fact("Local date of the answer.", source="QuestionnaireResponse.authored")


class Medication(Record):
    """A medication ordered, dispensed, given or reported (OMOP drug_exposure; PCORnet PRESCRIBING, DISPENSING, MED_ADMIN)."""

    type: Literal["medication"] = "medication"
    kind: Literal["ordered", "dispensed", "given", "reported"] = fact(
        "What happened.", source="resource type", required=True
    )
    code: str | None = fact("Normalised code.", source="medicationCodeableConcept", terminology="RxNorm")
    codings: Codings = fact("Every coding of the source.", source="medicationCodeableConcept", default_factory=list)
    ingredients: list[str] = fact(
        "Ingredients.", source="Medication.ingredient", terminology="RxNorm IN", default_factory=list
    )
    start: datetime | None = fact("Start, UTC.", source="MedicationRequest.authoredOn")
    start_date: PartialDate | None = fact("Local date of the start.", source="MedicationRequest.authoredOn")
    end: datetime | None = fact("End, UTC.", source="MedicationRequest.dispenseRequest.validityPeriod.end")
    end_date: PartialDate | None = fact(
        "Local date of the end.", source="MedicationRequest.dispenseRequest.validityPeriod.end"
    )
    dose: Number | None = fact(
        "Single dose in `dose_unit`.", source="dosageInstruction.doseAndRate.doseQuantity", unit="as in `dose_unit`"
    )
    dose_unit: str | None = fact(
        "Unit of `dose`.", source="dosageInstruction.doseAndRate.doseQuantity", terminology="UCUM"
    )
    days_supply: Number | None = fact("Days of supply.", source="dispenseRequest.expectedSupplyDuration", unit="d")
    as_needed: bool | None = fact("Taken as needed.", source="dosageInstruction.asNeededBoolean")
    intent: str | None = fact("Intent.", source="MedicationRequest.intent", terminology="FHIR medicationrequest-intent")
    status: str | None = fact("Status.", source="MedicationRequest.status", terminology="FHIR medicationrequest-status")
    reasons: Codings = fact("Reasons.", source="MedicationRequest.reasonCode", default_factory=list)
    encounter: RecordId | None = fact("The visit it belongs to.", source="MedicationRequest.encounter")


class Procedure(Record):
    """A procedure performed (OMOP procedure_occurrence; PCORnet PROCEDURES)."""

    type: Literal["procedure"] = "procedure"
    code: str | None = fact("Normalised code.", source="Procedure.code", terminology="SNOMED CT, CPT, ICD-10-PCS")
    codings: Codings = fact("Every coding of the source.", source="Procedure.code", default_factory=list)
    performed: datetime | None = fact("Start, UTC.", source="Procedure.performed[x]")
    performed_date: PartialDate | None = fact("Local date of the start.", source="Procedure.performed[x]")
    performed_end: datetime | None = fact("End, UTC.", source="Procedure.performedPeriod.end")
    status: str | None = fact("Status.", source="Procedure.status", terminology="FHIR event-status")
    reasons: Codings = fact("Reasons.", source="Procedure.reasonCode", default_factory=list)
    encounter: RecordId | None = fact("The visit it belongs to.", source="Procedure.encounter")


class Immunization(Record):
    """A vaccine given (OMOP drug_exposure; PCORnet IMMUNIZATION)."""

    type: Literal["immunization"] = "immunization"
    code: str | None = fact("Vaccine.", source="Immunization.vaccineCode", terminology="CVX")
    codings: Codings = fact("Every coding of the source.", source="Immunization.vaccineCode", default_factory=list)
    occurrence: datetime | None = fact("When it was given, UTC.", source="Immunization.occurrenceDateTime")
    occurrence_date: PartialDate | None = fact("Local date it was given.", source="Immunization.occurrenceDateTime")
    status: str | None = fact("Status.", source="Immunization.status", terminology="FHIR immunization-status")
    encounter: RecordId | None = fact("The visit it belongs to.", source="Immunization.encounter")


class DeviceUse(Record):
    """Use of a device (OMOP device_exposure; PCORnet OBS_GEN)."""

    type: Literal["device_use"] = "device_use"
    device: Literal["pump", "cgm", "hybrid_loop"] = fact(
        "The device.", source="DeviceUseStatement.device", required=True
    )
    start_date: PartialDate | None = fact(
        "Local date of the first use.", source="DeviceUseStatement.timingPeriod.start"
    )
    end_date: PartialDate | None = fact("Local date of the last use.", source="DeviceUseStatement.timingPeriod.end")


class Issue(Record):
    """What a patient, family or clinician raised, and what became of it."""

    type: Literal["issue"] = "issue"
    raised_by: Literal["patient", "family", "clinician"] = fact(
        "Role of who raised it.", source="Communication.sender", required=True
    )
    topic: str = fact("Coded topic.", source="Communication.topic", required=True)
    measure: str | None = fact("The measure it is about.", source="Communication.about")
    code: str | None = fact("Coded text.", source="Communication.reasonCode")
    status: str | None = fact("Status.", source="Task.status", terminology="FHIR task-status")
    response: str | None = fact("Coded response.", source="Task.output")


class MeasureResult(BaseModel):
    """The result of a quality measure for one level, period and stratum (FHIR MeasureReport)."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["measure_result"] = "measure_result"
    id: RecordId = Field(description="Keyed hash of measure, level, period and stratum.")
    subject: SubjectId | None = fact("The person, at level person.", source="MeasureReport.subject")
    site: str | None = fact("The site, at levels person and site.", source="MeasureReport.reporter")
    measure: str = fact("The measure.", source="MeasureReport.measure", required=True)
    measure_version: str = fact("Its version.", source="MeasureReport.measure", required=True)
    level: Literal["person", "site", "network"] = fact("Of whom.", source="MeasureReport.type", required=True)
    period_start: PartialDate = fact("First local date.", source="MeasureReport.period.start", required=True)
    period_end: PartialDate = fact("Last local date.", source="MeasureReport.period.end", required=True)
    stratum: str | None = fact("Stratum, none for all.", source="MeasureReport.group.stratifier.stratum")
    initial_population: int = fact("Initial population.", source="MeasureReport.group.population", unit="1", default=0)
    denominator: int = fact("Denominator.", source="MeasureReport.group.population", unit="1", default=0)
    exclusions: int = fact("Denominator exclusions.", source="MeasureReport.group.population", unit="1", default=0)
    exceptions: int = fact("Denominator exceptions.", source="MeasureReport.group.population", unit="1", default=0)
    numerator: int = fact("Numerator.", source="MeasureReport.group.population", unit="1", default=0)
    score: Number | None = fact("The score.", source="MeasureReport.group.measureScore", unit="1")
    cutoff: datetime | None = fact("Data known up to, UTC.", source="MeasureReport.date")


AnyRecord = Annotated[
    Person
    | Consent
    | Enrolment
    | Encounter
    | Condition
    | Observation
    | DerivedObservation
    | DiseaseAssessment
    | ProResponse
    | Medication
    | Procedure
    | Immunization
    | DeviceUse
    | Issue
    | MeasureResult,
    Field(discriminator="type"),
]
"""The one list of record types."""

RECORD_TYPES: dict[str, type[BaseModel]] = {
    model.model_fields["type"].default: model for model in get_args(get_args(AnyRecord)[0])
}
"""Every record type by its name: topics, registry tables and JSON Schemas are made from it."""
