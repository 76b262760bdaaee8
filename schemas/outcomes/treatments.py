"""What was done: medicines, procedures, vaccines, devices."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.outcomes.record import Codings, Number, PartialDate, Record, RecordId, fact


class DoseStep(BaseModel):
    """One step of a dosage: how much, how often, from when to when (FHIR Dosage)."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    sequence: int | None = fact(
        "Place in the order of steps; those of one place go side by side.", source="Dosage.sequence"
    )
    dose: Number | None = fact("Single dose.", source="Dosage.doseAndRate.doseQuantity", unit="as in `dose_unit`")
    dose_low: Number | None = fact(
        "Lowest single dose.", source="Dosage.doseAndRate.doseRange.low", unit="as in `dose_unit`"
    )
    dose_high: Number | None = fact(
        "Highest single dose.", source="Dosage.doseAndRate.doseRange.high", unit="as in `dose_unit`"
    )
    dose_unit: str | None = fact(
        "Unit of `dose`, `dose_low`, `dose_high`.", source="Dosage.doseAndRate.dose[x]", terminology="UCUM; {tablet} …"
    )
    rate: Number | None = fact(
        "Amount that flows in a time.", source="Dosage.doseAndRate.rateQuantity, rateRatio", unit="as in `rate_unit`"
    )
    rate_low: Number | None = fact("Lowest rate.", source="Dosage.doseAndRate.rateRange.low", unit="as in `rate_unit`")
    rate_high: Number | None = fact(
        "Highest rate.", source="Dosage.doseAndRate.rateRange.high", unit="as in `rate_unit`"
    )
    rate_unit: str | None = fact(
        "Unit in which the amount in a time is told.", source="Dosage.doseAndRate.rate[x]", terminology="UCUM"
    )
    max_dose: Number | None = fact(
        "Most at a time.", source="Dosage.maxDosePerAdministration", unit="as in `max_dose_unit`"
    )
    max_dose_unit: str | None = fact(
        "Unit of the maximum.", source="Dosage.maxDosePerAdministration", terminology="UCUM; {tablet} …"
    )
    max_dose_period: Number | None = fact(
        "Most in a time, as one number: 80 for 80 mg a day.",
        source="Dosage.maxDosePerPeriod",
        unit="as in `max_dose_period_unit`",
    )
    max_dose_period_unit: str | None = fact(
        "Its unit: `mg/d`.", source="Dosage.maxDosePerPeriod", terminology="UCUM; {tablet} …"
    )
    max_dose_lifetime: Number | None = fact(
        "Most in a lifetime.", source="Dosage.maxDosePerLifetime", unit="as in `max_dose_lifetime_unit`"
    )
    max_dose_lifetime_unit: str | None = fact(
        "Unit of the maximum.", source="Dosage.maxDosePerLifetime", terminology="UCUM; {tablet} …"
    )
    frequency: int | None = fact("Times a period.", source="Dosage.timing.repeat.frequency, timing.code")
    frequency_max: int | None = fact("At most that many times.", source="Dosage.timing.repeat.frequencyMax")
    period: Number | None = fact(
        "Length of the period.", source="Dosage.timing.repeat.period, timing.code", unit="as in `period_unit`"
    )
    period_max: Number | None = fact(
        "Its upper limit.", source="Dosage.timing.repeat.periodMax", unit="as in `period_unit`"
    )
    period_unit: str | None = fact(
        "Unit of `period`, `period_max`.",
        source="Dosage.timing.repeat.periodUnit",
        terminology="UCUM s min h d wk mo a",
    )
    count: int | None = fact("Times in all.", source="Dosage.timing.repeat.count")
    count_max: int | None = fact("At most that many times in all.", source="Dosage.timing.repeat.countMax")
    times_of_day: int | None = fact(
        "How many times of day are named.", source="Dosage.timing.repeat.timeOfDay", unit="1"
    )
    days_of_week: list[str] = fact(
        "On which days of the week it is taken.",
        source="Dosage.timing.repeat.dayOfWeek",
        terminology="FHIR days-of-week",
        default_factory=list,
    )
    when: list[str] = fact(
        "At which meals or parts of the day it is taken.",
        source="Dosage.timing.repeat.when",
        terminology="FHIR event-timing",
        default_factory=list,
    )
    timing_code: str | None = fact(
        "Schedule that is named by its code: BID, QD …", source="Dosage.timing.code", terminology="v3-GTSAbbreviation"
    )
    as_needed: bool | None = fact("True: taken only as needed.", source="Dosage.asNeeded[x]")
    as_needed_for: Codings = fact("Needed for what.", source="Dosage.asNeededCodeableConcept", default_factory=list)
    route: Codings = fact(
        "By which way it is taken.", source="Dosage.route", terminology="SNOMED CT", default_factory=list
    )
    start: datetime | None = fact("When the step begins, UTC.", source="Dosage.timing.repeat.boundsPeriod.start")
    start_date: PartialDate | None = fact("Local date of the start.", source="Dosage.timing.repeat.boundsPeriod.start")
    end: datetime | None = fact("When the step ends, UTC.", source="Dosage.timing.repeat.boundsPeriod.end")
    end_date: PartialDate | None = fact("Local date of the end.", source="Dosage.timing.repeat.boundsPeriod.end")
    days: Number | None = fact("Length of the step.", source="Dosage.timing.repeat.boundsDuration", unit="d")
    days_low: Number | None = fact("At least that long.", source="Dosage.timing.repeat.boundsRange.low", unit="d")
    days_high: Number | None = fact("At most that long.", source="Dosage.timing.repeat.boundsRange.high", unit="d")
    dates: list[PartialDate] = fact(
        "Local dates on which it is taken, where they are named.",
        source="Dosage.timing.event",
        default_factory=list,
    )


class Strength(BaseModel):
    """How much of an ingredient there is in how much of a medicine."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    code: str = Field(description="The ingredient; RxNorm.")
    value: Number = Field(description="Amount in `unit`.")
    unit: str = Field(description="Unit of `value`; UCUM, countable forms as {tablet}.")
    per: Number | None = Field(default=None, description="In so much of the medicine, in `per_unit`.")
    per_unit: str | None = Field(default=None, description="Unit of `per`; UCUM, countable forms as {tablet}.")


class Medication(Record):
    """A medication ordered, dispensed, given or reported (OMOP drug_exposure; PCORnet PRESCRIBING, DISPENSING, MED_ADMIN)."""

    fhir = ("MedicationRequest", "MedicationDispense", "MedicationAdministration", "MedicationStatement")
    everywhere = ("MedicationRequest",)
    refers = ("Medication",)
    type: Literal["medication"] = "medication"
    kind: Literal["ordered", "dispensed", "given", "reported"] = fact(
        "Whether it was ordered, dispensed, given, or is only reported.",
        source="resource type; MedicationRequest.reported[x]",
        required=True,
    )
    code: str | None = fact(
        "The drug, by the source or the site's code map.", source="medication[x], Medication.code", terminology="RxNorm"
    )
    codings: Codings = fact(
        "Every coding of the source.", source="medication[x], Medication.code", default_factory=list
    )
    ingredients: list[str] = fact(
        "Active ingredients of the Medication that is named, each by its code.",
        source="Medication.ingredient.item[x]",
        terminology="RxNorm IN",
        default_factory=list,
    )
    strengths: list[Strength] = fact(
        "How much of which ingredient.", source="Medication.ingredient.strength", default_factory=list
    )
    drug_by_reference: bool | None = fact(
        "The drug stands in a Medication resource that this one names.",
        source="medicationReference",
    )
    category: list[str] = fact(
        "Where it is taken: inpatient, outpatient, community, discharge; local categories are left out.",
        source="category",
        terminology="FHIR medicationrequest-category",
        default_factory=list,
    )
    start: datetime | None = fact(
        "When it was ordered, handed over or given, or since when it is taken, UTC.",
        source="MedicationRequest.authoredOn; MedicationDispense.whenHandedOver, whenPrepared; effective[x]",
    )
    start_date: PartialDate | None = fact(
        "Local date of the start.",
        source="MedicationRequest.authoredOn; MedicationDispense.whenHandedOver, whenPrepared; effective[x]",
    )
    end: datetime | None = fact(
        "End, UTC: of the last dosage step, else of the validity.",
        source="dosageInstruction.timing.repeat.boundsPeriod.end, dispenseRequest.validityPeriod.end, effectivePeriod.end",
    )
    end_date: PartialDate | None = fact(
        "Local date of the end.",
        source="dosageInstruction.timing.repeat.boundsPeriod.end, dispenseRequest.validityPeriod.end, effectivePeriod.end",
    )
    recorded_date: PartialDate | None = fact("Local date of the statement.", source="MedicationStatement.dateAsserted")
    dose: Number | None = fact(
        "Single dose of the first step in `dose_unit`.",
        source="dosageInstruction.doseAndRate.doseQuantity, MedicationAdministration.dosage.dose",
        unit="as in `dose_unit`",
    )
    dose_low: Number | None = fact(
        "Lowest single dose of the first step.",
        source="dosageInstruction.doseAndRate.doseRange.low",
        unit="as in `dose_unit`",
    )
    dose_high: Number | None = fact(
        "Highest single dose of the first step.",
        source="dosageInstruction.doseAndRate.doseRange.high",
        unit="as in `dose_unit`",
    )
    dose_unit: str | None = fact(
        "Unit of `dose`, `dose_low`, `dose_high`.",
        source="dosageInstruction.doseAndRate.dose[x], MedicationAdministration.dosage.dose",
        terminology="UCUM; countable forms as {tablet}",
    )
    rate: Number | None = fact(
        "Rate of what was given.", source="MedicationAdministration.dosage.rate[x]", unit="as in `rate_unit`"
    )
    rate_unit: str | None = fact(
        "Unit in which the amount in a time is told.",
        source="MedicationAdministration.dosage.rate[x]",
        terminology="UCUM",
    )
    route: Codings = fact(
        "Route of the first step.",
        source="dosageInstruction.route, MedicationAdministration.dosage.route",
        terminology="SNOMED CT",
        default_factory=list,
    )
    steps: list[DoseStep] = fact(
        "Dosage steps in their sequence, where they tell more than the first dose.",
        source="dosageInstruction, MedicationStatement.dosage",
        default_factory=list,
    )
    as_needed: bool | None = fact(
        "True: the first step is taken only as needed.", source="dosageInstruction.asNeeded[x]"
    )
    quantity: Number | None = fact(
        "Amount to dispense or dispensed.",
        source="MedicationRequest.dispenseRequest.quantity, MedicationDispense.quantity",
        unit="as in `quantity_unit`",
    )
    quantity_unit: str | None = fact(
        "Unit of the amount in `quantity`.",
        source="MedicationRequest.dispenseRequest.quantity, MedicationDispense.quantity",
        terminology="UCUM; countable forms as {tablet}",
    )
    refills: int | None = fact(
        "Repeats allowed after the first.", source="MedicationRequest.dispenseRequest.numberOfRepeatsAllowed", unit="1"
    )
    days_supply: Number | None = fact(
        "For how many days the amount lasts.",
        source="MedicationRequest.dispenseRequest.expectedSupplyDuration, MedicationDispense.daysSupply",
        unit="d",
    )
    intent: str | None = fact(
        "How binding an order is: proposal, plan, order …",
        source="MedicationRequest.intent",
        terminology="FHIR medicationrequest-intent",
    )
    status: str | None = fact(
        "Where it stands: active, completed, stopped, on-hold …, by the resource type.",
        source="status",
        terminology="FHIR status of the resource type",
    )
    status_reasons: Codings = fact("Why it has this status.", source="statusReason[x]", default_factory=list)
    reasons: Codings = fact("Why it is taken, as codes.", source="reasonCode", default_factory=list)
    reason_records: list[RecordId] = fact(
        "Conditions that are the reason.", source="reasonReference", default_factory=list
    )
    prior: RecordId | None = fact("The order it replaces.", source="MedicationRequest.priorPrescription")
    orders: list[RecordId] = fact(
        "The orders it follows.",
        source="MedicationDispense.authorizingPrescription, MedicationAdministration.request, MedicationStatement.basedOn",
        default_factory=list,
    )
    part_of: list[RecordId] = fact(
        "What it was a part of: a procedure, or another medication record, with which it is counted once.",
        source="MedicationDispense.partOf, MedicationAdministration.partOf, MedicationStatement.partOf",
        default_factory=list,
    )
    encounter: RecordId | None = fact("The visit it belongs to.", source="MedicationRequest.encounter, context")
    replaces: list[RecordId] = fact(
        "Records that this one replaces; whoever counts leaves them out.",
        source="extension:replaces",
        default_factory=list,
    )


class Procedure(Record):
    """A procedure performed (OMOP procedure_occurrence; PCORnet PROCEDURES)."""

    fhir = ("Procedure",)
    everywhere = ("Procedure",)
    type: Literal["procedure"] = "procedure"
    code: str | None = fact(
        "What was done, by the source or the site's code map.",
        source="Procedure.code",
        terminology="SNOMED CT, CPT, ICD-10-PCS",
    )
    codings: Codings = fact("Every coding of the source.", source="Procedure.code", default_factory=list)
    performed: datetime | None = fact("When it was done, or began, UTC.", source="Procedure.performed[x]")
    performed_date: PartialDate | None = fact("Local date it was done, or began.", source="Procedure.performed[x]")
    performed_end: datetime | None = fact("When it ended, UTC.", source="Procedure.performedPeriod.end")
    performed_end_date: PartialDate | None = fact("Local date of the end.", source="Procedure.performedPeriod.end")
    performed_ongoing: bool | None = fact(
        "True of what began and has no end: it went on when it was written.", source="Procedure.performedPeriod"
    )
    performed_age: Number | None = fact(
        "Age when it was performed, or the lower end of a range.",
        source="Procedure.performedAge, performedRange.low, performedString",
        unit="as in `performed_age_unit`",
    )
    performed_age_high: Number | None = fact(
        "Upper end of a range of ages when it was performed.",
        source="Procedure.performedRange.high, performedString",
        unit="as in `performed_age_unit`",
    )
    performed_age_unit: str | None = fact(
        "Unit of `performed_age`, `performed_age_high`.",
        source="Procedure.performedAge, performedRange, performedString",
        terminology="UCUM a mo wk d h min",
    )
    category: Codings = fact(
        "Kind of procedure: surgical, diagnostic, counselling …",
        source="Procedure.category",
        terminology="SNOMED CT",
        default_factory=list,
    )
    body_sites: Codings = fact(
        "Where in the body it was done.", source="Procedure.bodySite", terminology="SNOMED CT", default_factory=list
    )
    outcome: Codings = fact(
        "Whether it succeeded, as a code.", source="Procedure.outcome", terminology="SNOMED CT", default_factory=list
    )
    complications: Codings = fact(
        "Complications during or soon after it.", source="Procedure.complication", default_factory=list
    )
    status_reasons: Codings = fact("Why it has this status.", source="Procedure.statusReason", default_factory=list)
    reason_records: list[RecordId] = fact(
        "Conditions, observations, procedures that are the reason.",
        source="Procedure.reasonReference",
        default_factory=list,
    )
    part_of: list[RecordId] = fact("What it was a part of.", source="Procedure.partOf", default_factory=list)
    location: str | None = fact("Where it took place, as a keyed hash.", source="Procedure.location")
    performer_kinds: list[str] = fact(
        "Of what kind those were who performed it; never who.",
        source="Procedure.performer.actor",
        terminology="FHIR resource types",
        default_factory=list,
    )
    status: str | None = fact(
        "Where it stands: preparation, in-progress, on-hold, stopped, completed; one not done gives no record.",
        source="Procedure.status",
        terminology="FHIR event-status",
    )
    reasons: Codings = fact("Why it was done, as codes.", source="Procedure.reasonCode", default_factory=list)
    encounter: RecordId | None = fact("The visit it belongs to.", source="Procedure.encounter")
    replaces: list[RecordId] = fact(
        "Records that this one replaces; whoever counts leaves them out.",
        source="Procedure.extension:replaces",
        default_factory=list,
    )


class Immunization(Record):
    """A vaccine given (OMOP drug_exposure; PCORnet IMMUNIZATION)."""

    fhir = ("Immunization",)
    everywhere = ("Immunization",)
    type: Literal["immunization"] = "immunization"
    code: str | None = fact(
        "The vaccine, by the source or the site's code map.", source="Immunization.vaccineCode", terminology="CVX"
    )
    codings: Codings = fact("Every coding of the source.", source="Immunization.vaccineCode", default_factory=list)
    occurrence: datetime | None = fact("When it was given, UTC.", source="Immunization.occurrenceDateTime")
    occurrence_date: PartialDate | None = fact("Local date it was given.", source="Immunization.occurrenceDateTime")
    status: str | None = fact(
        "`completed`: given; one not given gives no record.",
        source="Immunization.status",
        terminology="FHIR immunization-status",
    )
    subpotent: bool | None = fact("The dose was too weak to count.", source="Immunization.isSubpotent")
    status_reasons: Codings = fact("Why it has this status.", source="Immunization.statusReason", default_factory=list)
    primary_source: bool | None = fact("Recorded by who gave it.", source="Immunization.primarySource")
    report_origin: Codings = fact(
        "Where it is known from, where not recorded by who gave it.",
        source="Immunization.reportOrigin",
        default_factory=list,
    )
    dose_number: int | None = fact(
        "Which dose of the series.", source="Immunization.protocolApplied.doseNumber[x]", unit="1"
    )
    series_doses: int | None = fact(
        "Doses the series has.", source="Immunization.protocolApplied.seriesDoses[x]", unit="1"
    )
    target_diseases: Codings = fact(
        "Diseases it protects from.",
        source="Immunization.protocolApplied.targetDisease",
        terminology="SNOMED CT",
        default_factory=list,
    )
    dose: Number | None = fact(
        "Amount of vaccine that was given.", source="Immunization.doseQuantity", unit="as in `dose_unit`"
    )
    dose_unit: str | None = fact(
        "Unit of the amount in `dose`.", source="Immunization.doseQuantity", terminology="UCUM"
    )
    route: Codings = fact(
        "By which way it was given.",
        source="Immunization.route",
        terminology="v3-RouteOfAdministration",
        default_factory=list,
    )
    body_sites: Codings = fact(
        "Where in the body it was given.", source="Immunization.site", terminology="v3-ActSite", default_factory=list
    )
    reasons: Codings = fact("Why it was given, as codes.", source="Immunization.reasonCode", default_factory=list)
    reason_records: list[RecordId] = fact(
        "Conditions that are the reason.", source="Immunization.reasonReference", default_factory=list
    )
    reaction_dates: list[PartialDate] = fact(
        "Local dates on which it was reacted to.", source="Immunization.reaction.date", default_factory=list
    )
    reaction_records: list[RecordId] = fact(
        "Records of the observations that tell a reaction to it.",
        source="Immunization.reaction.detail",
        default_factory=list,
    )
    recorded_date: PartialDate | None = fact("Local date of recording.", source="Immunization.recorded")
    encounter: RecordId | None = fact("The visit it belongs to.", source="Immunization.encounter")
    replaces: list[RecordId] = fact(
        "Records that this one replaces; whoever counts leaves them out.",
        source="Immunization.extension:replaces",
        default_factory=list,
    )


class DeviceUse(Record):
    """Use of a device (OMOP device_exposure; PCORnet OBS_GEN)."""

    fhir = ("DeviceUseStatement",)
    refers = ("Device",)
    type: Literal["device_use"] = "device_use"
    device: Literal["pump", "cgm", "hybrid_loop"] | None = fact(
        "Of what kind it is, where that is one of these: an insulin pump, a continuous glucose monitor, both in a loop.",
        source="DeviceUseStatement.device, Device.type, specialization.systemType, deviceName by the site's code map",
    )
    code: str | None = fact(
        "The device's type, by the source or the site's code map.", source="Device.type", terminology="SNOMED CT"
    )
    codings: Codings = fact(
        "Every coding of the source.", source="Device.type, specialization.systemType", default_factory=list
    )
    start: datetime | None = fact(
        "When the use began, UTC.",
        source="DeviceUseStatement.timingPeriod.start, timingDateTime, timingTiming.repeat.boundsPeriod",
    )
    start_date: PartialDate | None = fact(
        "Local date of the first use.",
        source="DeviceUseStatement.timingPeriod.start, timingDateTime, timingTiming.repeat.boundsPeriod",
    )
    end: datetime | None = fact(
        "When the use ended, UTC.", source="DeviceUseStatement.timingPeriod.end, timingTiming.repeat.boundsPeriod"
    )
    end_date: PartialDate | None = fact(
        "Local date of the last use.", source="DeviceUseStatement.timingPeriod.end, timingTiming.repeat.boundsPeriod"
    )
    recorded_date: PartialDate | None = fact("Local date of the statement.", source="DeviceUseStatement.recordedOn")
    status: str | None = fact(
        "Whether it is in use: active, completed, intended, stopped, on-hold.",
        source="DeviceUseStatement.status",
        terminology="FHIR device-statement-status",
    )
    reporter_kinds: list[str] = fact(
        "Of what kind who said so is; never who.",
        source="DeviceUseStatement.source",
        terminology="FHIR resource types",
        default_factory=list,
    )
    reasons: Codings = fact("Why it is used, as codes.", source="DeviceUseStatement.reasonCode", default_factory=list)
    reason_records: list[RecordId] = fact(
        "Conditions and observations that are the reason.",
        source="DeviceUseStatement.reasonReference",
        default_factory=list,
    )
    body_sites: Codings = fact(
        "Where on the body it is used.",
        source="DeviceUseStatement.bodySite",
        terminology="SNOMED CT",
        default_factory=list,
    )
    orders: list[RecordId] = fact("What it was ordered by.", source="DeviceUseStatement.basedOn", default_factory=list)
    derived_from: list[RecordId] = fact(
        "The records it was concluded from.", source="DeviceUseStatement.derivedFrom", default_factory=list
    )
    replaces: list[RecordId] = fact(
        "Records that this one replaces; whoever counts leaves them out.",
        source="DeviceUseStatement.extension:replaces",
        default_factory=list,
    )
