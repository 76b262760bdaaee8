"""Visits, and the diagnoses and problems recorded at them."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.outcomes.record import Codings, Number, PartialDate, Record, RecordId, fact


class EncounterDiagnosis(BaseModel):
    """A diagnosis of a visit: what it was for there (FHIR Encounter.diagnosis)."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    record: RecordId = Field(description="The record of the condition or procedure.")
    use: str | None = fact(
        "What the diagnosis was for at the visit: admission, discharge, billing …",
        source="Encounter.diagnosis.use",
        terminology="FHIR diagnosis-role",
    )
    rank: int | None = fact("Its rank in that role, 1 first.", source="Encounter.diagnosis.rank", unit="1")


class EncounterClass(BaseModel):
    """A class that a visit had for some time (FHIR Encounter.classHistory)."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    class_code: str = Field(description="The class: v3-ActCode.")
    start: datetime | None = fact(
        "When it began to have this class, UTC.", source="Encounter.classHistory.period.start"
    )
    start_date: PartialDate | None = fact("Local date of the start.", source="Encounter.classHistory.period.start")
    end: datetime | None = fact("When it ceased to have this class, UTC.", source="Encounter.classHistory.period.end")
    end_date: PartialDate | None = fact("Local date of the end.", source="Encounter.classHistory.period.end")


class Encounter(Record):
    """A visit, or one that was planned (OMOP visit_occurrence; PCORnet ENCOUNTER).

    An appointment never has the status of a visit that happened, whatever became of it: `planned` or `cancelled`. The visit
    that came of it is a record of its own, which names it.
    """

    fhir = ("Encounter", "Appointment")
    everywhere = ("Encounter",)
    type: Literal["encounter"] = "encounter"
    class_code: str | None = fact(
        "Class of the visit: ambulatory, emergency, inpatient, virtual …",
        source="Encounter.class",
        terminology="v3-ActCode AMB EMER IMP VR …",
    )
    types: Codings = fact(
        "What kind of visit it was, more exactly than its class.",
        source="Encounter.type, Appointment.appointmentType",
        terminology="SNOMED CT, CPT",
        default_factory=list,
    )
    reasons: Codings = fact("Why the visit took place, as codes.", source="reasonCode", default_factory=list)
    service_type: Codings = fact(
        "What kind of service was given or is planned, as by which department.",
        source="serviceType",
        default_factory=list,
    )
    reason_records: list[RecordId] = fact(
        "Conditions and procedures that are the reason.", source="reasonReference", default_factory=list
    )
    diagnoses: list[EncounterDiagnosis] = fact(
        "Diagnoses with their role and rank.", source="Encounter.diagnosis", default_factory=list
    )
    admit_source: Codings = fact(
        "From where the patient came.", source="Encounter.hospitalization.admitSource", default_factory=list
    )
    discharge_disposition: Codings = fact(
        "Where the patient went.", source="Encounter.hospitalization.dischargeDisposition", default_factory=list
    )
    readmission: Codings = fact(
        "Code that says that it is a readmission.",
        source="Encounter.hospitalization.reAdmission",
        terminology="v2-0092",
        default_factory=list,
    )
    provider: str | None = fact(
        "The organization that gave the service, as a keyed hash.", source="Encounter.serviceProvider"
    )
    locations: list[str] = fact(
        "Where it took place, as keyed hashes.",
        source="Encounter.location.location, Appointment.participant.actor",
        default_factory=list,
    )
    participant_types: Codings = fact(
        "As what somebody took part.",
        source="participant.type",
        terminology="v3-ParticipationType",
        default_factory=list,
    )
    participant_kinds: list[str] = fact(
        "Of what kind those were who took part; never who.",
        source="Encounter.participant.individual, Appointment.participant.actor",
        terminology="FHIR resource types",
        default_factory=list,
    )
    class_history: list[EncounterClass] = fact(
        "Classes it had before.", source="Encounter.classHistory", default_factory=list
    )
    start: datetime | None = fact(
        "When the visit began, or is planned to begin, UTC.", source="Encounter.period.start, Appointment.start"
    )
    start_date: PartialDate | None = fact(
        "Local date of the start.", source="Encounter.period.start, Appointment.start"
    )
    end: datetime | None = fact(
        "When the visit ended, or is planned to end, UTC.", source="Encounter.period.end, Appointment.end"
    )
    end_date: PartialDate | None = fact("Local date of the end.", source="Encounter.period.end, Appointment.end")
    status: str | None = fact(
        "Where the visit stands: planned, arrived, in-progress, finished, cancelled …; of an appointment planned or cancelled.",
        source="Encounter.status, Appointment.status",
        terminology="FHIR encounter-status",
    )
    appointment_status: str | None = fact(
        "What became of an appointment: booked, fulfilled, noshow …; only appointments have it.",
        source="Appointment.status",
        terminology="FHIR appointmentstatus",
    )
    status_reasons: Codings = fact(
        "Why an appointment was cancelled.", source="Appointment.cancelationReason", default_factory=list
    )
    specialties: Codings = fact(
        "Specialties it asks for.", source="Appointment.specialty", terminology="SNOMED CT", default_factory=list
    )
    booked_date: PartialDate | None = fact("Local date an appointment was made.", source="Appointment.created")
    based_on: list[RecordId] = fact(
        "The requests it fulfils.", source="Encounter.basedOn, Appointment.basedOn", default_factory=list
    )
    appointments: list[RecordId] = fact(
        "The appointments this visit came of.", source="Encounter.appointment", default_factory=list
    )
    part_of: RecordId | None = fact(
        "The visit this is a stretch of, such as a stay on one ward: counted with it, once.", source="Encounter.partOf"
    )
    replaces: list[RecordId] = fact(
        "Records that this one replaces; whoever counts leaves them out.",
        source="Encounter.extension:replaces, Appointment.extension:replaces",
        default_factory=list,
    )


class Condition(Record):
    """A diagnosis or problem (OMOP condition_occurrence; PCORnet CONDITION, DIAGNOSIS)."""

    fhir = ("Condition",)
    everywhere = ("Condition",)
    type: Literal["condition"] = "condition"
    code: str | None = fact(
        "The diagnosis or problem, by the source or the site's code map.",
        source="Condition.code",
        terminology="SNOMED CT",
    )
    icd10cm: str | None = fact(
        "The diagnosis, by the source or the site's code map.", source="Condition.code", terminology="ICD-10-CM"
    )
    codings: Codings = fact("Every coding of the source.", source="Condition.code", default_factory=list)
    category: list[str] = fact(
        "Where it was listed: problem list, a visit's diagnosis, a health concern; local categories are left out.",
        source="Condition.category",
        terminology="FHIR condition-category",
        default_factory=list,
    )
    clinical_status: str | None = fact(
        "Whether it goes on: active, recurrence, relapse, inactive, remission, resolved; NI where that is not understood.",
        source="Condition.clinicalStatus",
        terminology="FHIR condition-clinical",
    )
    verification_status: str | None = fact(
        "How certain it is: differential, provisional, unconfirmed, confirmed; a refuted one gives no record.",
        source="Condition.verificationStatus",
        terminology="FHIR condition-ver-status",
    )
    onset: datetime | None = fact("When it began, UTC.", source="Condition.onsetDateTime, onsetPeriod.start")
    onset_date: PartialDate | None = fact("Local date it began.", source="Condition.onsetDateTime, onsetPeriod.start")
    abatement: datetime | None = fact(
        "When it ended or went into remission, UTC.", source="Condition.abatementDateTime, abatementPeriod.end"
    )
    abatement_date: PartialDate | None = fact(
        "Local date it ended or went into remission.", source="Condition.abatementDateTime, abatementPeriod.end"
    )
    onset_age: Number | None = fact(
        "Age at onset, or the lower end of a range.",
        source="Condition.onsetAge, onsetRange.low, onsetString",
        unit="as in `onset_age_unit`",
    )
    onset_age_high: Number | None = fact(
        "Upper end of a range of ages at onset.",
        source="Condition.onsetRange.high, onsetString",
        unit="as in `onset_age_unit`",
    )
    onset_age_unit: str | None = fact(
        "Unit of `onset_age`, `onset_age_high`.",
        source="Condition.onsetAge, onsetRange, onsetString",
        terminology="UCUM a mo wk d h min",
    )
    abatement_age: Number | None = fact(
        "Age at abatement, or the lower end of a range.",
        source="Condition.abatementAge, abatementRange.low, abatementString",
        unit="as in `abatement_age_unit`",
    )
    abatement_age_high: Number | None = fact(
        "Upper end of a range of ages at abatement.",
        source="Condition.abatementRange.high, abatementString",
        unit="as in `abatement_age_unit`",
    )
    abatement_age_unit: str | None = fact(
        "Unit of `abatement_age`, `abatement_age_high`.",
        source="Condition.abatementAge, abatementRange, abatementString",
        terminology="UCUM a mo wk d h min",
    )
    severity: Codings = fact(
        "How severe it is, in the clinician's judgement.",
        source="Condition.severity",
        terminology="SNOMED CT",
        default_factory=list,
    )
    stages: Codings = fact(
        "Stage or grade of the disease, a summary each.",
        source="Condition.stage.summary",
        terminology="SNOMED CT",
        default_factory=list,
    )
    body_sites: Codings = fact(
        "Where in the body it is.", source="Condition.bodySite", terminology="SNOMED CT", default_factory=list
    )
    recorded_date: PartialDate | None = fact("Local date of recording.", source="Condition.recordedDate")
    asserted_date: PartialDate | None = fact(
        "Local date on which it was first said to be so.", source="Condition.extension condition-assertedDate"
    )
    encounter: RecordId | None = fact("The visit it was recorded at.", source="Condition.encounter")
    replaces: list[RecordId] = fact(
        "Records that this one replaces; whoever counts leaves them out.",
        source="Condition.extension:replaces",
        default_factory=list,
    )
