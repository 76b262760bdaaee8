"""MedicationRequest → medication: an order, or what somebody reported. One whose drug is not known is no record."""

from transforms.rules import (
    DRUG_CONTRADICTIONS,
    DRUG_SPELLINGS,
    Resource,
    codings,
    dispense,
    dosage,
    drug,
    each_of,
    extensions,
    instant,
    link,
    links,
    not_a_fact_if_true,
    one_of,
    other_version,
    patient,
    replaced,
    reported,
    unless_within,
)

STATUS = ("active", "on-hold", "cancelled", "completed", "stopped", "draft", "unknown")
# R5's `ended`, by HL7's own map to R4.
SPELLINGS = DRUG_SPELLINGS | {"ended": "completed"}
INTENT = (
    "proposal",
    "plan",
    "order",
    "original-order",
    "reflex-order",
    "filler-order",
    "instance-order",
    "option",
)
CATEGORY = ("inpatient", "outpatient", "community", "discharge")

RESOURCE = Resource(
    source="MedicationRequest",
    record="medication",
    version=1,
    subject={"subject": patient()},
    contradictions=DRUG_CONTRADICTIONS,
    fields={
        "reported[x]": reported(yes="reported", no="ordered"),
        "medication[x]": drug(),
        "category": each_of("category", CATEGORY),
        "authoredOn": instant("start", "start_date"),
        "dispenseRequest": dispense(),
        "dosageInstruction": dosage(),
        "intent": one_of("intent", INTENT, modifier=True),
        "status": one_of("status", STATUS, withdrawn=("entered-in-error",), spellings=SPELLINGS, modifier=True),
        "statusReason": codings("status_reasons"),
        "reasonCode": codings("reasons"),
        "reasonReference": links("reason_records", "Condition", "Observation"),
        "priorPrescription": link("prior", "MedicationRequest"),
        "encounter": link("encounter", "Encounter"),
        "doNotPerform": not_a_fact_if_true(),
        "extension": extensions(replaced("replaces", "MedicationRequest")),
        # STU3
        "context": other_version(),
        "definition": other_version(),
        "requester": unless_within("agent", "onBehalfOf"),
        # R5
        "medication": other_version(),
        "reason": other_version(),
        "reported": other_version(),
        "informationSource": other_version(),
        "effectiveDosePeriod": other_version(),
    },
)
