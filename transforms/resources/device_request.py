"""DeviceRequest → service_request: a device asked for, such as a wheelchair or a pump."""

from schemas.problems import Reason
from transforms.codes.systems import CPT, HCPCS, SNOMED
from transforms.rules import (
    REQUEST_CONTRADICTIONS,
    Resource,
    asked,
    choice,
    coded,
    codings,
    device_asked,
    fact,
    grouped_by,
    kinds_of,
    link,
    links,
    other_version,
    patient,
    request_intent,
    unless_codeable,
    unless_shaped,
    unless_within,
)

RESOURCE = Resource(
    source="DeviceRequest",
    record="service_request",
    version=1,
    subject={"subject": patient()},
    contradictions=REQUEST_CONTRADICTIONS,
    constants={"kind": "device"},
    fields={
        "code[x]": choice(
            codeCodeableConcept=fact(
                coded(code=(SNOMED, HCPCS, CPT), every="codings", text_is=Reason.MISSING_CODE),
            ),
            codeReference=device_asked(code=(SNOMED, HCPCS, CPT), every="codings"),
            missing=Reason.MISSING_CODE,
            fatal=True,
        ),
        **asked(intent=unless_shaped(request_intent(), "object")),  # STU3: a CodeableConcept
        "reasonCode": codings("reasons"),
        "reasonReference": links("reason_records", "Condition", "Observation"),
        "requester": unless_within("agent", "onBehalfOf", rule=kinds_of("requester_kinds")),  # STU3
        "performerType": codings("performer_types"),
        "performer": unless_codeable(kinds_of("performer_kinds")),
        "groupIdentifier": grouped_by("requisition"),
        "basedOn": links("based_on", "ServiceRequest", "DeviceRequest", "MedicationRequest"),
        "priorRequest": links("replaces", "DeviceRequest"),
        "encounter": link("encounter", "Encounter"),
        # STU3
        "definition": other_version(),
        "context": other_version(),
        # R5
        "code": other_version(),
        "quantity": other_version(),
        "replaces": other_version(),
        "doNotPerform": other_version(),
        "asNeeded": other_version(),
        "asNeededFor": other_version(),
        "reason": other_version(),
    },
)
