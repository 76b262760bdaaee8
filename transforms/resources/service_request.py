"""ServiceRequest → service_request: a referral, a follow-up, an order of a test or a service."""

from schemas.problems import Reason
from transforms.codes.systems import CPT, HCPCS, LOINC, SNOMED
from transforms.rules import (
    REQUEST_CONTRADICTIONS,
    Resource,
    asked,
    boolean,
    choice,
    coded,
    codings,
    fact,
    grouped_by,
    kinds_of,
    link,
    links,
    not_a_fact_if_true,
    other_version,
    patient,
    required,
    true_if_given,
    unless_within,
)

RESOURCE = Resource(
    source="ServiceRequest",
    record="service_request",
    version=1,
    subject={"subject": patient()},
    contradictions=REQUEST_CONTRADICTIONS,
    constants={"kind": "service"},
    fields={
        "code": required(
            unless_within(  # R5: a CodeableReference
                "concept",
                "reference",
                rule=fact(
                    coded(code=(SNOMED, LOINC, CPT, HCPCS), every="codings", text_is=Reason.MISSING_CODE),
                ),
            ),
            Reason.MISSING_CODE,
        ),
        **asked(),
        "doNotPerform": not_a_fact_if_true(),
        "orderDetail": unless_within("parameter", "parameterFocus", rule=codings("order_details")),  # R5
        "category": codings("category"),
        "asNeeded[x]": choice(asNeededBoolean=boolean("as_needed"), asNeededCodeableConcept=true_if_given("as_needed")),
        "reasonCode": codings("reasons"),
        "reasonReference": links("reason_records", "Condition", "Observation"),
        "bodySite": codings("body_sites"),
        "requester": kinds_of("requester_kinds"),
        "performerType": codings("performer_types"),
        "performer": kinds_of("performer_kinds"),
        "locationCode": codings("location_codes"),
        "requisition": grouped_by("requisition"),
        "basedOn": links("based_on", "ServiceRequest", "MedicationRequest"),
        "replaces": links("replaces", "ServiceRequest"),
        "encounter": link("encounter", "Encounter"),
        # R5
        "reason": other_version(),
        "location": other_version(),
        "bodyStructure": other_version(),
        "focus": other_version(),
    },
)
