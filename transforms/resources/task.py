"""Task → issue: what somebody is asked to do for a patient, and what became of it. Its words are not read."""

from schemas.problems import Reason
from transforms.codes.systems import CPT, HCPCS, LOINC, SNOMED, TASK_CODE
from transforms.rules import (
    ABOUT,
    Resource,
    all_of,
    choice,
    coded,
    codings,
    codings_in,
    due,
    extensions,
    instant,
    kinds_of,
    link,
    links_in,
    one_of,
    other_version,
    out_of_order,
    patient,
    period,
    raised_by,
    request_priority,
    typed_links,
    typed_pseudonym,
    unless_codeable,
    unless_within,
)

STATUS = (
    *("draft", "requested", "received", "accepted", "rejected", "ready"),
    *("cancelled", "in-progress", "on-hold", "failed", "completed"),
)
SPELLINGS = {"canceled": "cancelled", "complete": "completed", "open": "requested", "suspended": "on-hold"}
INTENT = (
    *("unknown", "proposal", "plan", "order", "original-order", "reflex-order", "filler-order", "instance-order"),
    "option",
)

RESOURCE = Resource(
    source="Task",
    record="issue",
    version=1,
    subject={"for": patient()},
    contradictions=(out_of_order("ends-before-start", "raised_date", "answered_date"),),
    constants={"kind": "task"},
    fields={
        "code[x]": choice(
            code=coded(topic=(SNOMED, LOINC, CPT, HCPCS, TASK_CODE), every="codings"),
            unless=("reasonCode", "focus"),
            missing=Reason.MISSING_CODE,
        ),
        "reasonCode": unless_codeable(codings("reasons")),
        "reasonReference": typed_links("reason_records", *ABOUT),
        "focus": all_of(
            typed_links("about", *ABOUT),
            typed_links("in_response_to", "Communication"),
            typed_pseudonym("measure", "Measure"),
        ),
        "status": one_of("status", STATUS, withdrawn=("entered-in-error",), spellings=SPELLINGS, modifier=True),
        "statusReason": unless_codeable(codings("status_reasons")),
        "intent": one_of("intent", INTENT, modifier=True),
        "priority": request_priority(),
        "requester": unless_within("agent", rule=raised_by("raised_by", of="for")),  # STU3
        "owner": kinds_of("addressed_to"),
        "authoredOn": instant("raised", "raised_date"),
        "executionPeriod": period(end=("answered", "answered_date")),
        "restriction": due("due_date"),
        "output": unless_within(  # R5
            "valueCodeableReference",
            rule=all_of(
                codings_in("response", "valueCodeableConcept"),
                links_in("response_records", "valueReference", "Communication", *ABOUT),
            ),
        ),
        "basedOn": typed_links("based_on", "ServiceRequest", "DeviceRequest", "MedicationRequest"),
        "encounter": link("encounter", "Encounter"),
        "extension": extensions(),
        # STU3 and DSTU2
        "definitionUri": other_version(),
        "definitionReference": other_version(),
        "context": other_version(),
        "subject": other_version(),
        "performer": other_version(),
        # STU3 and R5
        "reason": other_version(),
        # R5
        "doNotPerform": other_version(),
        "requestedPeriod": other_version(),
        "requestedPerformer": other_version(),
    },
)
