"""EpisodeOfCare → enrolment: a programme that cares for a patient over time."""

from schemas.problems import Reason
from transforms.rules import (
    ENROLMENT_SPELT,
    ENROLMENT_STATUS,
    Resource,
    extensions,
    flagged_if_over,
    links,
    links_in,
    one_of,
    other_version,
    out_of_order,
    patient,
    period,
    programme,
    pseudonym_of,
    replaced,
    required,
    status_history,
    to_come,
    unless_listed,
)

RESOURCE = Resource(
    source="EpisodeOfCare",
    record="enrolment",
    version=1,
    subject={"patient": patient()},
    contradictions=(
        out_of_order("ends-before-start", "start_date", "end_date"),
        to_come("status", ("active", "onhold", "finished"), start="start_date", end="end_date"),
    ),
    fields={
        "type": required(programme(registry="registry", every="codings"), Reason.MISSING_CODE),
        "period": period(start=("start", "start_date"), end=("end", "end_date")),
        "status": flagged_if_over(
            one_of(
                "status", ENROLMENT_STATUS, withdrawn=("entered-in-error",), spellings=ENROLMENT_SPELT, modifier=True
            ),
            "status",
            period="period",
        ),
        "statusHistory": status_history("status_history"),
        "diagnosis": unless_listed(links_in("diagnoses", "condition", "Condition"), "condition"),
        "referralRequest": links("orders", "ServiceRequest"),
        "managingOrganization": pseudonym_of("provider", "Organization"),
        "extension": extensions(replaced("replaces", "EpisodeOfCare")),
        # DSTU2
        "condition": other_version(),
        # R5
        "careTeam": other_version(),
        "reason": other_version(),
        "subject": other_version(),
    },
)
