"""Observation → observation: a measurement or finding. Each component becomes a record of its own."""

from schemas.problems import Reason
from transforms.codes.systems import INTERPRETATION, LOINC, SNOMED
from transforms.rules import (
    Parts,
    Resource,
    boolean,
    choice,
    coded,
    coded_value,
    each_of,
    first_of,
    focus,
    instant,
    integer,
    link,
    null_flavour,
    one_of,
    other_version,
    patient,
    period,
    presence,
    quantity,
    required,
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
    fields={
        "status": one_of("status", STATUS, withdrawn=("entered-in-error",), spellings=SPELLINGS, modifier=True),
        "category": each_of("category", CATEGORY, CATEGORIES_SPELT),
        "focus": focus(),
        "effective[x]": choice(
            effectiveDateTime=instant("effective", "effective_date"),
            effectivePeriod=period(start=("effective", "effective_date")),
            effectiveInstant=instant("effective", "effective_date"),
            effectiveTiming=withheld("timing-withheld"),
            missing=Reason.MISSING_TIME,
        ),
        "encounter": link("encounter", "Encounter"),
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
        "code": required(coded(code=LOINC, every="codings", text_is=Reason.MISSING_CODE), Reason.MISSING_CODE),
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
            valueCodeableConcept=coded_value(value_code=(SNOMED, LOINC), every="value_codings", absent="absent"),
            valueInteger=integer(value="value", raw_value="raw_value"),
            valueBoolean=boolean("value_code", as_code=True),
            valueString=withheld("text-withheld", absent="OT"),
            valueRange=withheld("value-type-withheld", absent="OT"),
            valueRatio=withheld("value-type-withheld", absent="OT"),
            valueSampledData=withheld("value-type-withheld", absent="OT"),
            valueTime=withheld("value-type-withheld", absent="OT"),
            valueDateTime=withheld("value-type-withheld", absent="OT"),
            valuePeriod=withheld("value-type-withheld", absent="OT"),
            dataAbsentReason=null_flavour("absent"),
            wins="dataAbsentReason",
            fatal=True,
            otherwise={"absent": "NI"},
            unless=("component", "hasMember"),
        ),
        "interpretation": first_of("interpretation", INTERPRETATION),
        "hasMember": presence(),
    },
    parts=Parts(
        of="component",
        known_by="code",
        systems=(LOINC, "urn:oid:2.16.840.1.113883.6.1"),
        alone=("value", "value_code", "value_codings", "absent"),
    ),
)
