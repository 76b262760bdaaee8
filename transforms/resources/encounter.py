"""Encounter → encounter: a visit, planned ones included."""

from transforms.rules import (
    Resource,
    codings,
    link,
    one_of,
    other_version,
    patient,
    period,
    unless_shaped,
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

RESOURCE = Resource(
    source="Encounter",
    record="encounter",
    version=1,
    subject={"subject": patient()},
    fields={
        "class": unless_shaped(visit_class("class_code"), "string", "array"),  # DSTU2: a code; R5: a list
        "type": codings("types"),
        "reasonCode": codings("reasons"),
        "period": period(start=("start", "start_date"), end=("end", "end_date")),
        "status": one_of(
            "status", STATUS, withdrawn=("entered-in-error",), spellings={"canceled": "cancelled"}, modifier=True
        ),
        "partOf": link("part_of", "Encounter"),
        # STU3 and DSTU2; R5 has another `reason`
        "reason": other_version(),
        "indication": other_version(),
        "incomingReferral": other_version(),
        # R5
        "actualPeriod": other_version(),
        "admission": other_version(),
    },
)
