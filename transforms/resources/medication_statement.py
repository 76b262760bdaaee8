"""MedicationStatement → medication: what a patient, a relative or a record says is taken."""

from transforms.rules import (
    DRUG_CONTRADICTIONS,
    DRUG_SPELLINGS,
    Resource,
    choice,
    codings,
    dosage,
    drug,
    each_of,
    extensions,
    flagged_if_over,
    instant,
    link,
    links,
    local_date,
    one_of,
    other_version,
    patient,
    replaced,
    statement_period,
)

STATUS = ("active", "completed", "intended", "stopped", "on-hold", "unknown")
SPELLINGS = DRUG_SPELLINGS | {"recorded": "unknown", "nottaken": "not-taken", "not-done": "not-taken"}
# R5's: `recorded` says that it was written down, and not whether it is taken; `draft`, that it is not yet said.
CATEGORY = ("inpatient", "outpatient", "community", "patientspecified")

RESOURCE = Resource(
    source="MedicationStatement",
    record="medication",
    version=1,
    subject={"subject": patient()},
    contradictions=DRUG_CONTRADICTIONS,
    constants={"kind": "reported"},
    fields={
        "medication[x]": drug(),
        "category": each_of("category", CATEGORY),
        "effective[x]": choice(
            effectiveDateTime=instant("start", "start_date"), effectivePeriod=statement_period("dosage")
        ),
        "dateAsserted": local_date("recorded_date"),
        "dosage": dosage(),
        "status": flagged_if_over(
            one_of(
                "status",
                STATUS,
                withdrawn=("entered-in-error",),
                not_a_fact=("not-taken", "draft"),
                spellings=SPELLINGS,
                modifier=True,
            ),
            "status",
            period="effectivePeriod",
        ),
        "statusReason": codings("status_reasons"),
        "reasonCode": codings("reasons"),
        "reasonReference": links("reason_records", "Condition", "Observation"),
        "basedOn": links("orders", "MedicationRequest"),
        "partOf": links(
            "part_of",
            "MedicationStatement",
            "MedicationAdministration",
            "MedicationDispense",
            "Procedure",
            "Observation",
        ),
        "context": link("encounter", "Encounter"),
        "extension": extensions(replaced("replaces", "MedicationStatement")),
        # STU3
        "taken": other_version(),
        "reasonNotTaken": other_version(),
        "wasNotTaken": other_version(),
        # R5
        "medication": other_version(),
        "encounter": other_version(),
        "reason": other_version(),
        "adherence": other_version(),
        "effectiveTiming": other_version(),
    },
)
