"""Communication → issue: what a patient, a relative or a clinician raised or answered. Its words are not read."""

from schemas.problems import Reason
from transforms.codes.systems import COMMUNICATION_TOPIC, LOINC, SNOMED
from transforms.rules import (
    ABOUT,
    Resource,
    all_of,
    choice,
    coded,
    codings,
    done_yet_not,
    extensions,
    instant,
    kinds_of,
    link,
    links,
    one_of,
    other_version,
    out_of_order,
    patient,
    raised_by,
    request_priority,
    typed_links,
    typed_pseudonym,
    unless_within,
)

STATUS = ("preparation", "in-progress", "on-hold", "stopped", "completed", "unknown")
SPELLINGS = {"complete": "completed", "sent": "completed", "suspended": "on-hold", "aborted": "stopped"}

RESOURCE = Resource(
    source="Communication",
    record="issue",
    version=1,
    subject={"subject": patient()},
    contradictions=(out_of_order("ends-before-start", "raised_date", "answered_date"), done_yet_not()),
    constants={"kind": "message"},
    fields={
        # What was raised, by any of these; of one that is words alone, the record says who raised it and when.
        "topic[x]": choice(
            topic=coded(topic=(SNOMED, LOINC, COMMUNICATION_TOPIC), every="codings"),
            unless=("reasonCode", "category"),
            missing=Reason.MISSING_CODE,
        ),
        "reasonCode": codings("reasons"),
        "category": codings("category"),
        "reasonReference": typed_links("reason_records", *ABOUT),
        "about": all_of(typed_links("about", *ABOUT), typed_pseudonym("measure", "Measure")),
        "status": one_of(
            "status",
            STATUS,
            withdrawn=("entered-in-error",),
            not_a_fact=("not-done",),
            spellings=SPELLINGS,
            modifier=True,
        ),
        "statusReason": codings("status_reasons"),
        "priority": request_priority(),
        "medium": codings("medium"),
        "sender": raised_by("raised_by", of="subject"),
        "recipient": kinds_of("addressed_to"),
        "sent": instant("raised", "raised_date"),
        "received": instant("answered", "answered_date"),
        "inResponseTo": links("in_response_to", "Communication"),
        "basedOn": typed_links("based_on", "ServiceRequest", "DeviceRequest", "MedicationRequest"),
        "encounter": link("encounter", "Encounter"),
        "payload": unless_within("contentCodeableConcept"),  # R5
        "extension": extensions(),
        # STU3 and DSTU2
        "definition": other_version(),
        "notDone": other_version(),
        "notDoneReason": other_version(),
        "context": other_version(),
        "requestDetail": other_version(),
        # STU3 and R5
        "reason": other_version(),
    },
)
