"""MedicationRequest → medication: an order. A medication contained or known is resolved; one elsewhere is flagged."""

from schemas.problems import Reason
from transforms.codes.systems import RXNORM
from transforms.rules import (
    Resource,
    choice,
    coded,
    codings,
    dispense,
    dosage,
    fact,
    instant,
    link,
    medication,
    not_a_fact_if_true,
    one_of,
    other_version,
    patient,
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

RESOURCE = Resource(
    source="MedicationRequest",
    record="medication",
    version=1,
    subject={"subject": patient()},
    constants={"kind": "ordered"},
    fields={
        "medication[x]": choice(
            medicationCodeableConcept=fact(coded(code=RXNORM, every="codings", text_is=Reason.MISSING_CODE)),
            medicationReference=medication(
                code=RXNORM, every="codings", ingredients="ingredients", ingredient_system=RXNORM
            ),
            missing=Reason.MISSING_CODE,
            fatal=True,
        ),
        "authoredOn": instant("start", "start_date"),
        "dispenseRequest": dispense(end=("end", "end_date"), days="days_supply"),
        "dosageInstruction": dosage(dose="dose", unit="dose_unit", as_needed="as_needed"),
        "intent": one_of("intent", INTENT, modifier=True),
        "status": one_of(
            "status", STATUS, withdrawn=("entered-in-error",), spellings={"canceled": "cancelled"}, modifier=True
        ),
        "reasonCode": codings("reasons"),
        "encounter": link("encounter", "Encounter"),
        "doNotPerform": not_a_fact_if_true(),
        # STU3
        "context": other_version(),
        "definition": other_version(),
        # R5
        "medication": other_version(),
        "reason": other_version(),
    },
)
