"""MedicationRequest → medication: an order, or what somebody reported. One whose drug is not known is no record."""

from schemas.problems import Reason
from transforms.codes.systems import RXNORM
from transforms.rules import (
    Resource,
    choice,
    coded,
    codings,
    dispense,
    dosage,
    each_of,
    fact,
    instant,
    link,
    links,
    medication,
    negative,
    not_a_fact_if_true,
    one_of,
    other_version,
    out_of_order,
    patient,
    reported,
    unless_within,
)

STATUS = ("active", "on-hold", "cancelled", "completed", "stopped", "draft", "unknown")
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
    contradictions=(
        negative("negative-amount", "dose", "quantity", "days_supply", "refills"),
        out_of_order("ends-before-start", "start_date", "end_date"),
    ),
    fields={
        "reported[x]": reported(yes="reported", no="ordered"),
        "medication[x]": choice(
            medicationCodeableConcept=fact(coded(code=RXNORM, every="codings", text_is=Reason.MISSING_CODE)),
            medicationReference=medication(
                code=RXNORM, every="codings", ingredients="ingredients", ingredient_system=RXNORM
            ),
            missing=Reason.MISSING_CODE,
            fatal=True,
        ),
        "category": each_of("category", CATEGORY),
        "authoredOn": instant("start", "start_date"),
        "dispenseRequest": dispense(),
        "dosageInstruction": dosage(),
        "intent": one_of("intent", INTENT, modifier=True),
        "status": one_of(
            "status", STATUS, withdrawn=("entered-in-error",), spellings={"canceled": "cancelled"}, modifier=True
        ),
        "statusReason": codings("status_reasons"),
        "reasonCode": codings("reasons"),
        "reasonReference": links("reason_records", "Condition", "Observation"),
        "priorPrescription": link("prior", "MedicationRequest"),
        "encounter": link("encounter", "Encounter"),
        "doNotPerform": not_a_fact_if_true(),
        # STU3
        "context": other_version(),
        "definition": other_version(),
        "requester": unless_within("agent", "onBehalfOf"),
        # R5
        "medication": other_version(),
        "reason": other_version(),
    },
)
