"""MedicationAdministration → medication: what was given."""

from schemas.problems import Reason
from transforms.codes.systems import RXNORM
from transforms.rules import (
    Resource,
    choice,
    coded,
    codings,
    each_of,
    fact,
    given_dosage,
    instant,
    link,
    links,
    medication,
    negative,
    one_of,
    other_version,
    out_of_order,
    patient,
    period,
)

STATUS = ("in-progress", "on-hold", "completed", "stopped", "unknown")
CATEGORY = ("inpatient", "outpatient", "community")

RESOURCE = Resource(
    source="MedicationAdministration",
    record="medication",
    version=1,
    subject={"subject": patient()},
    contradictions=(
        negative("negative-amount", "dose", "quantity", "days_supply", "refills"),
        out_of_order("ends-before-start", "start_date", "end_date"),
    ),
    constants={"kind": "given"},
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
        "effective[x]": choice(
            effectiveDateTime=instant("start", "start_date"),
            effectivePeriod=period(start=("start", "start_date"), end=("end", "end_date")),
        ),
        "dosage": given_dosage(),
        "status": one_of("status", STATUS, withdrawn=("entered-in-error",), not_a_fact=("not-done",), modifier=True),
        "statusReason": codings("status_reasons"),
        "reasonCode": codings("reasons"),
        "reasonReference": links("reason_records", "Condition", "Observation"),
        "request": links("orders", "MedicationRequest"),
        "partOf": links("part_of", "MedicationAdministration", "Procedure"),
        "context": link("encounter", "Encounter"),
        # STU3
        "notGiven": other_version(),
        "prescription": other_version(),
        "definition": other_version(),
        # R5
        "medication": other_version(),
        "occurenceDateTime": other_version(),
        "occurencePeriod": other_version(),
        "encounter": other_version(),
        "isSubPotent": other_version(),
        "reason": other_version(),
    },
)
