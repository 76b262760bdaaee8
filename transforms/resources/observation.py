"""Observation → observation: a measurement or finding. Each component becomes a record of its own."""

from schemas.problems import Reason
from transforms.codes.systems import INTERPRETATION, LOINC, SNOMED
from transforms.rules import (
    ASSESSMENT,
    LENT,
    Parts,
    Resource,
    ValueNames,
    boolean,
    choice,
    coded,
    coded_value,
    codings,
    each_of,
    event_time,
    extensions,
    first_of,
    flagged,
    focus,
    instant,
    integer,
    kinds_of,
    link,
    links,
    mark_of_cancelled,
    null_flavour,
    of_itself,
    one_of,
    other_version,
    patient,
    period,
    pseudonym_of,
    quantity,
    ratio,
    reference_range,
    replaced,
    required,
    said,
    telling_state,
    time_of_day,
    time_of_report,
    told_before,
    told_by_instrument,
    value_range,
    why_cancelled,
    withheld,
)

STATUS = ("registered", "preliminary", "final", "amended", "corrected", "cancelled", "unknown")
# FHIR observation-category and the categories US Core adds.
CATEGORY = (
    "social-history",
    "vital-signs",
    "imaging",
    "laboratory",
    "procedure",
    "survey",
    "exam",
    "therapy",
    "activity",
    "sdoh",
    "functional-status",
    "disability-status",
    "cognitive-status",
    "treatment-intervention-preference",
    "care-experience-preference",
)

# HL7 table 0085 and what systems write for its words.
SPELLINGS = {
    "f": "final",
    "p": "preliminary",
    "c": "corrected",
    "x": "cancelled",
    "d": "entered-in-error",
    "w": "entered-in-error",
    "complete": "final",
    "completed": "final",
    "canceled": "cancelled",
}
CATEGORIES_SPELT = {
    "vital-sign": "vital-signs",
    "vitals": "vital-signs",
    "vitalsigns": "vital-signs",
    "lab": "laboratory",
    "labs": "laboratory",
}

RESOURCE = Resource(
    source="Observation",
    record="observation",
    version=1,
    subject={"subject": patient()},
    contradictions=(
        told_before("issued-before-observed", "effective_date", "issued_date", by=("effectiveDateTime", "issued")),
        of_itself("part-of-itself", "members"),
        of_itself("part-of-itself", "derived_from"),
    ),
    beside=ASSESSMENT,
    lends={"hasMember": "panels"},
    lent=("reports", "panels"),
    fields={
        "status": one_of("status", STATUS, withdrawn=("entered-in-error",), spellings=SPELLINGS, modifier=True),
        "category": each_of("category", CATEGORY, CATEGORIES_SPELT),
        "focus": focus(),
        "effective[x]": choice(
            effectiveDateTime=instant("effective", "effective_date"),
            effectivePeriod=period(
                start=("effective", "effective_date"),
                end=("effective_end", "effective_end_date"),
                ongoing="effective_ongoing",
                past=True,
                or_end=True,
            ),
            effectiveInstant=instant("effective", "effective_date"),
            effectiveTiming=withheld("timing-withheld"),
            instead={
                "issued": flagged(instant("effective", "effective_date"), "time-issued"),
                LENT: time_of_report("effective", "effective_date"),
            },
            missing=Reason.MISSING_TIME,
        ),
        "issued": instant("issued", "issued_date"),
        "performer": kinds_of("performer_kinds"),
        "specimen": pseudonym_of("specimen", "Specimen"),
        "method": codings("method"),
        "bodySite": codings("body_sites"),
        "derivedFrom": links("derived_from", "Observation"),
        "encounter": link("encounter", "Encounter"),
        "extension": why_cancelled("status_reasons", extensions(replaced("replaces", "Observation"))),
        "modifierExtension": mark_of_cancelled(),
        # STU3 and DSTU2
        "comments": other_version(),
        "comment": other_version(),
        "context": other_version(),
        "related": other_version(),
        # R5
        "triggeredBy": other_version(),
        "bodyStructure": other_version(),
    },
    repeated={
        "modifierExtension": mark_of_cancelled(),
        "code": required(
            told_by_instrument(coded(code=LOINC, every="codings", text_is=Reason.MISSING_CODE)), Reason.MISSING_CODE
        ),
        "value[x]": choice(
            valueQuantity=quantity(
                value="value",
                unit="unit",
                raw_value="raw_value",
                raw_unit="raw_unit",
                comparator="comparator",
                absent="absent",
                unit_of="code",
            ),
            valueCodeableConcept=telling_state(
                coded_value(value_code=(SNOMED, LOINC), every="value_codings", absent="absent", word_to="value_code")
            ),
            valueInteger=integer(value="value", raw_value="raw_value", absent="absent", unit_of="code"),
            valueBoolean=boolean("value_code", as_code=True),
            valueString=telling_state(said(ValueNames(), unit_of="code")),
            valueRange=value_range(low="value_low", high="value_high", unit="unit", absent="absent", unit_of="code"),
            valueRatio=ratio(
                numerator="ratio_numerator",
                denominator="ratio_denominator",
                unit="unit",
                comparator="comparator",
                absent="absent",
            ),
            valueSampledData=withheld("value-type-withheld", absent="OT"),
            valueTime=time_of_day("value_time"),
            valueDateTime=event_time("value_instant", "value_date"),
            valuePeriod=withheld("value-type-withheld", absent="OT"),
            # Types that FHIR's value[x] has elsewhere, or in R5
            valueDecimal=integer(value="value", raw_value="raw_value", absent="absent", unit_of="code"),
            valueDate=event_time("value_instant", "value_date"),
            valueInstant=event_time("value_instant", "value_date"),
            valueCoding=telling_state(
                coded_value(value_code=(SNOMED, LOINC), every="value_codings", absent="absent", word_to="value_code")
            ),
            value=withheld("value-type-withheld", absent="OT"),
            valueCode=withheld("value-type-withheld", absent="OT"),
            valueUri=withheld("value-type-withheld", absent="OT"),
            valueAttachment=withheld("value-type-withheld", absent="OT"),
            valueReference=withheld("value-type-withheld", absent="OT"),
            dataAbsentReason=null_flavour("absent"),
            wins="dataAbsentReason",
            fatal=True,
            otherwise={"absent": "NI"},
            unless=("component", "hasMember"),
        ),
        "interpretation": first_of("interpretation", INTERPRETATION),
        "referenceRange": reference_range(
            low="reference_low", high="reference_high", unit="reference_unit", unit_of="code"
        ),
        "hasMember": links("members", "Observation"),
    },
    parts=Parts(
        of="component",
        known_by="code",
        systems=(LOINC, "urn:oid:2.16.840.1.113883.6.1"),
        alone=("value", "value_code", "value_codings", "absent"),
    ),
)
