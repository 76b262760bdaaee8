"""Encounter → encounter: a visit, planned ones included."""

from transforms.rules import (
    Resource,
    class_history,
    codings,
    diagnoses,
    extensions,
    hospitalization,
    link,
    links,
    of_itself,
    one_of,
    other_version,
    over,
    participants,
    patient,
    period,
    pseudonym_of,
    pseudonyms_in,
    replaced,
    to_come,
    unless_codeable,
    unless_shaped,
    unless_within,
    visit_class,
)

STATUS = (
    "planned",
    "arrived",
    "triaged",
    "in-progress",
    "onleave",
    "finished",
    "cancelled",
    "unknown",
)

SPELLINGS = {"canceled": "cancelled", "complete": "finished"}
# R5's words, by HL7's own map to R4, which has none for `discontinued`.
SPELLINGS |= {"completed": "finished", "discharged": "finished", "on-hold": "onleave"}
ONGOING = ("arrived", "triaged", "in-progress", "onleave")

RESOURCE = Resource(
    source="Encounter",
    record="encounter",
    version=1,
    subject={"subject": patient()},
    contradictions=(
        of_itself("part-of-itself", "part_of"),
        over("active-and-over", "status", ONGOING, end="end_date"),
        to_come("status", (*ONGOING, "finished"), start="start_date", end="end_date"),
    ),
    fields={
        "class": unless_shaped(visit_class("class_code"), "string", "array"),  # DSTU2: a code; R5: a list
        "type": codings("types"),
        "serviceType": unless_codeable(codings("service_type")),
        "reasonCode": codings("reasons"),
        "reasonReference": links("reason_records", "Condition", "Procedure", "Observation"),
        "period": period(start=("start", "start_date"), end=("end", "end_date")),
        "hospitalization": hospitalization(
            source="admit_source", disposition="discharge_disposition", readmission="readmission"
        ),
        "diagnosis": diagnoses("diagnoses"),
        "serviceProvider": pseudonym_of("provider", "Organization"),
        "location": pseudonyms_in("locations", "location", "Location"),
        "participant": unless_within(  # R5
            "actor", rule=participants(types="participant_types", kinds="participant_kinds")
        ),
        "classHistory": class_history("class_history"),
        "status": one_of("status", STATUS, withdrawn=("entered-in-error",), spellings=SPELLINGS, modifier=True),
        "partOf": link("part_of", "Encounter"),
        "basedOn": links("based_on", "ServiceRequest"),
        "appointment": links("appointments", "Appointment"),
        "extension": extensions(replaced("replaces", "Encounter")),
        # STU3 and DSTU2; R5 has another `reason`
        "reason": other_version(),
        "indication": other_version(),
        "incomingReferral": other_version(),
        # R5
        "actualPeriod": other_version(),
        "admission": other_version(),
        "plannedStartDate": other_version(),
        "plannedEndDate": other_version(),
    },
)
