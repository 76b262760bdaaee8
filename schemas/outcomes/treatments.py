"""What was done: medicines, procedures, vaccines, devices."""

from datetime import datetime
from typing import Literal

from schemas.outcomes.record import Codings, Number, PartialDate, Record, RecordId, fact


class Medication(Record):
    """A medication ordered, dispensed, given or reported (OMOP drug_exposure; PCORnet PRESCRIBING, DISPENSING, MED_ADMIN)."""

    fhir = ("MedicationRequest",)
    refers = ("Medication",)
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

    fhir = ("Procedure",)
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

    fhir = ("Immunization",)
    type: Literal["immunization"] = "immunization"
    code: str | None = fact("Vaccine.", source="Immunization.vaccineCode", terminology="CVX")
    codings: Codings = fact("Every coding of the source.", source="Immunization.vaccineCode", default_factory=list)
    occurrence: datetime | None = fact("When it was given, UTC.", source="Immunization.occurrenceDateTime")
    occurrence_date: PartialDate | None = fact("Local date it was given.", source="Immunization.occurrenceDateTime")
    status: str | None = fact("Status.", source="Immunization.status", terminology="FHIR immunization-status")
    subpotent: bool | None = fact("The dose was too weak to count.", source="Immunization.isSubpotent")
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
