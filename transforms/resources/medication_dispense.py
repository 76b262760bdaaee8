"""MedicationDispense → medication: what a pharmacy handed over."""

from schemas.problems import Reason
from transforms.codes.systems import RXNORM
from transforms.rules import (
    Resource,
    amount_of,
    choice,
    coded,
    codings,
    dosage,
    each_of,
    fact,
    instant,
    link,
    links,
    medication,
    negative,
    one_of,
    other_version,
    out_of_order,
    patient,
    presence,
    supply,
    unless_beside,
)

STATUS = ("preparation", "in-progress", "on-hold", "completed", "stopped", "unknown")
CATEGORY = ("inpatient", "outpatient", "community", "discharge")

RESOURCE = Resource(
    source="MedicationDispense",
    record="medication",
    version=1,
    subject={"subject": patient()},
    contradictions=(
        negative("negative-amount", "dose", "quantity", "days_supply", "refills"),
        out_of_order("ends-before-start", "start_date", "end_date"),
    ),
    constants={"kind": "dispensed"},
    fields={
        "medication[x]": choice(
            medicationCodeableConcept=fact(coded(code=RXNORM, every="codings", text_is=Reason.MISSING_CODE)),
            medicationReference=medication(
                code=RXNORM, every="codings", ingredients="ingredients", ingredient_system=RXNORM
            ),
            missing=Reason.MISSING_CODE,
            fatal=True,
        ),
        "category": each_of("category", CATEGORY),
        "whenHandedOver": instant("start", "start_date"),
        "whenPrepared": unless_beside("whenHandedOver", instant("start", "start_date")),
        "dosageInstruction": dosage(),
        "quantity": amount_of("quantity", "quantity_unit"),
        "daysSupply": supply("days_supply"),
        "status": one_of(
            "status", STATUS, withdrawn=("entered-in-error",), not_a_fact=("cancelled", "declined"), modifier=True
        ),
        "statusReason[x]": choice(
            statusReasonCodeableConcept=codings("status_reasons"), statusReasonReference=presence()
        ),
        "authorizingPrescription": links("orders", "MedicationRequest"),
        "partOf": links("part_of", "Procedure"),
        "context": link("encounter", "Encounter"),
        # STU3
        "notDone": other_version(),
        "notDoneCodeableConcept": other_version(),
        # R5
        "medication": other_version(),
        "encounter": other_version(),
        "recorded": other_version(),
    },
)
