"""What was measured, found, assessed or computed."""

from datetime import datetime
from typing import Literal

from schemas.outcomes.record import Codings, NullFlavour, Number, PartialDate, Record, RecordId, fact

NO_RESULT = ("registered", "cancelled", "entered-in-error", "unknown", "in-progress", "stopped")
"""Statuses of results and of answered questionnaires that carry no result."""


class Observation(Record):
    """A measurement or finding; each component is a record of its own (OMOP measurement, observation; PCORnet VITAL, LAB_RESULT_CM)."""

    fhir = ("Observation",)
    everywhere = ("Observation",)
    lenders = ("DiagnosticReport",)
    type: Literal["observation"] = "observation"
    code: str | None = fact(
        "What was measured or found, by the source or the site's code map.",
        source="Observation.code, component.code",
        terminology="LOINC",
    )
    codings: Codings = fact(
        "Every coding of the source.", source="Observation.code, component.code", default_factory=list
    )
    category: list[str] = fact(
        "Kind of observation: vital-signs, laboratory, survey …; local categories are left out.",
        source="Observation.category",
        terminology="FHIR observation-category",
        default_factory=list,
    )
    value: Number | None = fact(
        "The number, converted to `unit`.",
        source="Observation.valueQuantity, valueInteger, valueString",
        unit="as in `unit`",
    )
    unit: str | None = fact(
        "Unit of `value`; one unit a code.", source="Observation.valueQuantity.code", terminology="UCUM"
    )
    raw_value: str | None = fact("The number exactly as the source wrote it.", source="Observation.valueQuantity.value")
    raw_unit: str | None = fact("The source's unit code.", source="Observation.valueQuantity.code, unit")
    comparator: str | None = fact(
        "< <= >= > where the value is a bound.", source="Observation.valueQuantity.comparator"
    )
    value_low: Number | None = fact(
        "Low end of a value that is a range, in `unit`.", source="Observation.valueRange.low", unit="as in `unit`"
    )
    value_high: Number | None = fact(
        "High end of a value that is a range, in `unit`.", source="Observation.valueRange.high", unit="as in `unit`"
    )
    ratio_numerator: Number | None = fact(
        "First number of a ratio: 1 of a titre 1:64.", source="Observation.valueRatio.numerator, valueString"
    )
    ratio_denominator: Number | None = fact(
        "Second number of a ratio: 64 of a titre 1:64.", source="Observation.valueRatio.denominator, valueString"
    )
    value_time: str | None = fact("Time of day that is the value, local.", source="Observation.valueTime")
    value_instant: datetime | None = fact("Instant that is the value, UTC.", source="Observation.valueDateTime")
    value_date: PartialDate | None = fact("Local date that is the value.", source="Observation.valueDateTime")
    reference_low: Number | None = fact(
        "Low end of the reference range.", source="Observation.referenceRange.low", unit="as in `reference_unit`"
    )
    reference_high: Number | None = fact(
        "High end of the reference range.", source="Observation.referenceRange.high", unit="as in `reference_unit`"
    )
    reference_unit: str | None = fact(
        "Unit of the reference range; that of the code where it has one.",
        source="Observation.referenceRange.low, high",
        terminology="UCUM",
    )
    value_code: str | None = fact(
        "The answer or finding as a code, by the source or the code map; true or false of a yes or no.",
        source="Observation.valueCodeableConcept, valueString",
        terminology="SNOMED CT, LOINC answers",
    )
    value_codings: Codings = fact(
        "Every coding of the value.", source="Observation.valueCodeableConcept", default_factory=list
    )
    absent: NullFlavour | None = fact(
        "Why there is no value: no information, unknown, other (withheld, or of a type that is not carried).",
        source="Observation.dataAbsentReason",
        terminology="NI UN OT",
    )
    interpretation: str | None = fact(
        "Judgement of the value by who reported it: H, L, N, POS …; of several the first by the alphabet.",
        source="Observation.interpretation",
        terminology="v3-ObservationInterpretation",
    )
    effective: datetime | None = fact(
        "When the patient or specimen was in this state: the time, or the start of the period, UTC.",
        source="Observation.effective[x]",
    )
    effective_date: PartialDate | None = fact("Local date when it was true.", source="Observation.effective[x]")
    effective_end: datetime | None = fact(
        "When it stopped being true, UTC, where it was true for some time.", source="Observation.effectivePeriod.end"
    )
    effective_end_date: PartialDate | None = fact(
        "Local date when it stopped being true.", source="Observation.effectivePeriod.end"
    )
    effective_ongoing: bool | None = fact(
        "True of what began and has no end: it went on when it was written.", source="Observation.effectivePeriod"
    )
    status: str | None = fact(
        "Whether the result is final: preliminary, final, amended, corrected, cancelled …",
        source="Observation.status",
        terminology="FHIR observation-status",
    )
    status_reasons: Codings = fact(
        "Why it was cancelled, which measures make exceptions for.",
        source="Observation.extension qicore-notDoneReason",
        default_factory=list,
    )
    parent: RecordId | None = fact("The record this is a component of.", source="Observation.component")
    parts: list[RecordId] = fact("Records of the components.", source="Observation.component", default_factory=list)
    issued: datetime | None = fact("When it was made available, UTC.", source="Observation.issued")
    issued_date: PartialDate | None = fact("Local date it was made available.", source="Observation.issued")
    performer_kinds: list[str] = fact(
        "Of what kind those are who are responsible; never who.",
        source="Observation.performer",
        terminology="FHIR resource types",
        default_factory=list,
    )
    specimen: str | None = fact("The specimen, as a keyed hash.", source="Observation.specimen")
    method: Codings = fact(
        "How it was measured.", source="Observation.method", terminology="SNOMED CT", default_factory=list
    )
    body_sites: Codings = fact(
        "Where in the body it was measured or found.",
        source="Observation.bodySite",
        terminology="SNOMED CT",
        default_factory=list,
    )
    members: list[RecordId] = fact(
        "Records of the results that this panel groups, each a resource of its own.",
        source="Observation.hasMember",
        default_factory=list,
    )
    derived_from: list[RecordId] = fact(
        "Observations it was made from.", source="Observation.derivedFrom", default_factory=list
    )
    encounter: RecordId | None = fact("The visit it belongs to.", source="Observation.encounter")
    replaces: list[RecordId] = fact(
        "Records that this one replaces; whoever counts leaves them out.",
        source="Observation.extension:replaces",
        default_factory=list,
    )
    reports: list[str] = fact(
        "Reports that list it among their results, as keyed hashes: results of one report share one.",
        source="DiagnosticReport.result",
        default_factory=list,
    )
    panels: list[RecordId] = fact(
        "Panels that list it among their members.", source="Observation.hasMember of the panel", default_factory=list
    )


class DerivedObservation(Record):
    """A value we computed; never overwrites a source value (OMOP measurement)."""

    type: Literal["derived_observation"] = "derived_observation"
    quantity: str = fact("What was computed: z-score, percentile, percent predicted.", source="computed", required=True)
    value: Number = fact(
        "The number that was computed, to six decimals.", source="computed", unit="as in `unit`", required=True
    )
    value_code: str | None = fact(
        "The state or band that the value falls in: remission, mild, positive, target-met …", source="computed"
    )
    unit: str | None = fact(
        "Unit of `value`; absent of a score or z-score without one.", source="computed", terminology="UCUM"
    )
    method: str = fact("Name of the published method: who-2006, egfr-schwartz-2009 …", source="computed", required=True)
    method_version: str = fact(
        "Version of the method as computed here; another version is another record.", source="computed", required=True
    )
    inputs: list[RecordId] = fact("Records it was computed from.", source="computed", default_factory=list)
    effective: datetime | None = fact("When it was true, UTC.", source="the inputs")
    effective_date: PartialDate | None = fact("Local date when it was true.", source="the inputs")


class DiseaseAssessment(Record):
    """A disease activity score or state (OMOP observation; PCORnet PRO_CM).

    The observation or answer that tells it stands beside it, as a record of its own type. A state that a score stands for is
    a derived value; here is what the source says.
    """

    beside = ("Observation", "QuestionnaireResponse")

    type: Literal["disease_assessment"] = "disease_assessment"
    instrument: str = fact("PGA, PUCAI, sPCDAI, cJADAS10 …", source="Observation.code, Questionnaire", required=True)
    score: Number | None = fact("Number of the instrument's score.", source="Observation.value[x]", unit="{score}")
    state: Literal["remission", "mild", "moderate", "severe"] | None = fact(
        "State of the disease, where the source says one.", source="Observation.value[x]"
    )
    focus: RecordId | None = fact(
        "Record of the condition that is assessed, where the observation names one.", source="Observation.focus"
    )
    effective: datetime | None = fact("When it was assessed, UTC.", source="Observation.effective[x]")
    effective_date: PartialDate | None = fact("Local date of the assessment.", source="Observation.effective[x]")
    told_by: RecordId | None = fact(
        "The record of the observation or answer that tells it.", source="Observation, QuestionnaireResponse.item"
    )
