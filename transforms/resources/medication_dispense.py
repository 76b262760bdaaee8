"""MedicationDispense → medication: what a pharmacy handed over."""

from transforms.rules import (
    DRUG_CONTRADICTIONS,
    DRUG_SPELLINGS,
    Resource,
    amount_of,
    choice,
    codings,
    codings_of_contained,
    done_yet_not,
    dosage,
    drug,
    each_of,
    extensions,
    instant,
    link,
    links,
    one_of,
    other_version,
    patient,
    prepared,
    replaced,
    supply,
)

STATUS = ("preparation", "in-progress", "on-hold", "completed", "stopped", "unknown")
CATEGORY = ("inpatient", "outpatient", "community", "discharge")

RESOURCE = Resource(
    source="MedicationDispense",
    record="medication",
    version=1,
    subject={"subject": patient()},
    contradictions=(*DRUG_CONTRADICTIONS, done_yet_not()),
    constants={"kind": "dispensed"},
    fields={
        "medication[x]": drug(),
        "category": each_of("category", CATEGORY),
        "whenHandedOver": instant("start", "start_date"),
        "whenPrepared": prepared("start", "start_date", before="whenHandedOver"),
        "dosageInstruction": dosage(),
        "quantity": amount_of("quantity", "quantity_unit"),
        "daysSupply": supply("days_supply"),
        "status": one_of(
            "status",
            STATUS,
            withdrawn=("entered-in-error",),
            not_a_fact=("cancelled", "declined"),
            spellings=DRUG_SPELLINGS,
            modifier=True,
        ),
        "statusReason[x]": choice(
            statusReasonCodeableConcept=codings("status_reasons"),
            statusReasonReference=codings_of_contained("status_reasons", "status-reason-elsewhere"),
        ),
        "authorizingPrescription": links("orders", "MedicationRequest"),
        "partOf": links("part_of", "Procedure"),
        "context": link("encounter", "Encounter"),
        "extension": extensions(replaced("replaces", "MedicationDispense")),
        # STU3
        "notDone": other_version(),
        "notDoneReasonCodeableConcept": other_version(),
        "notDoneReasonReference": other_version(),
        # R5
        "medication": other_version(),
        "encounter": other_version(),
        "recorded": other_version(),
        "notPerformedReason": other_version(),
    },
)
