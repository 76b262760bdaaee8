"""MedicationAdministration → medication: what was given."""

from transforms.rules import (
    DRUG_CONTRADICTIONS,
    DRUG_SPELLINGS,
    Resource,
    choice,
    codings,
    done_yet_not,
    drug,
    each_of,
    extensions,
    given_dosage,
    instant,
    link,
    links,
    one_of,
    other_version,
    over,
    patient,
    period,
    replaced,
)

STATUS = ("in-progress", "on-hold", "completed", "stopped", "unknown")
SPELLINGS = DRUG_SPELLINGS | {"active": "in-progress"}
CATEGORY = ("inpatient", "outpatient", "community")

RESOURCE = Resource(
    source="MedicationAdministration",
    record="medication",
    version=1,
    subject={"subject": patient()},
    contradictions=(
        *DRUG_CONTRADICTIONS,
        done_yet_not(),
        over("active-and-over", "status", ("in-progress",), end="end_date"),
    ),
    constants={"kind": "given"},
    fields={
        "medication[x]": drug(),
        "category": each_of("category", CATEGORY),
        "effective[x]": choice(
            effectiveDateTime=instant("start", "start_date"),
            effectivePeriod=period(start=("start", "start_date"), end=("end", "end_date")),
        ),
        "dosage": given_dosage(),
        "status": one_of(
            "status",
            STATUS,
            withdrawn=("entered-in-error",),
            not_a_fact=("not-done",),
            spellings=SPELLINGS,
            modifier=True,
        ),
        "statusReason": codings("status_reasons"),
        "reasonCode": codings("reasons"),
        "reasonReference": links("reason_records", "Condition", "Observation"),
        "request": links("orders", "MedicationRequest"),
        "partOf": links("part_of", "MedicationAdministration", "Procedure"),
        "context": link("encounter", "Encounter"),
        "extension": extensions(replaced("replaces", "MedicationAdministration")),
        # STU3
        "notGiven": other_version(),
        "wasNotGiven": other_version(),
        "reasonNotGiven": other_version(),
        "prescription": other_version(),
        "definition": other_version(),
        # R5
        "medication": other_version(),
        "occurenceDateTime": other_version(),
        "occurencePeriod": other_version(),
        "occurenceTiming": other_version(),
        "encounter": other_version(),
        "isSubPotent": other_version(),
        "subPotentReason": other_version(),
        "reason": other_version(),
    },
)
