"""Visits, and the diagnoses and problems recorded at them."""

from datetime import datetime
from typing import Literal

from schemas.outcomes.record import Codings, PartialDate, Record, RecordId, fact


class Encounter(Record):
    """A visit (OMOP visit_occurrence; PCORnet ENCOUNTER)."""

    fhir = ("Encounter",)
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
    part_of: RecordId | None = fact(
        "The visit this is a stretch of, such as a stay on one ward: counted with it, once.", source="Encounter.partOf"
    )


class Condition(Record):
    """A diagnosis or problem (OMOP condition_occurrence; PCORnet CONDITION, DIAGNOSIS)."""

    fhir = ("Condition",)
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
