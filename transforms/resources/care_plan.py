"""CarePlan → goal: a plan of care with the goals it is for. Each activity that it tells itself becomes a record of its own."""

from transforms.codes.systems import CPT, HCPCS, LOINC, SNOMED
from transforms.rules import (
    ABOUT,
    Parts,
    Resource,
    activities,
    coded,
    codings,
    extensions,
    fact,
    flagged_if_over,
    link,
    links,
    links_in,
    not_a_fact_if_true,
    one_of,
    other_version,
    out_of_order,
    patient,
    period,
    raised_by,
    typed_links,
    unless_codeable,
    unless_within,
)

STATUS = ("draft", "active", "on-hold", "revoked", "completed", "unknown")
SPELLINGS = {"cancelled": "revoked", "canceled": "revoked", "complete": "completed", "suspended": "on-hold"}
OF_ACTIVITY = {"canceled": "cancelled", "revoked": "cancelled", "complete": "completed", "suspended": "on-hold"}
INTENT = ("proposal", "plan", "order", "option", "directive")
ACTIVITY = (
    *("not-started", "scheduled", "in-progress", "on-hold"),
    *("completed", "cancelled", "stopped", "unknown"),
)

RESOURCE = Resource(
    source="CarePlan",
    record="goal",
    version=1,
    subject={"subject": patient()},
    contradictions=(out_of_order("ends-before-start", "start_date", "end_date"),),
    constants={"kind": "plan"},
    fields={
        "status": flagged_if_over(
            one_of("lifecycle_status", STATUS, withdrawn=("entered-in-error",), spellings=SPELLINGS, modifier=True),
            "lifecycle_status",
            period="period",
        ),
        "intent": one_of("intent", INTENT, modifier=True),
        "category": codings("category"),
        "period": period(start=("start", "start_date"), end=("end", "end_date")),
        "author": raised_by("expressed_by", of="subject"),
        "addresses": unless_codeable(typed_links("addresses", *ABOUT)),
        "goal": links("goals", "Goal"),
        "replaces": links("replaces", "CarePlan"),
        "activity": unless_within(  # R5
            "plannedActivityReference", "performedActivity", rule=links_in("activities", "reference", *ABOUT)
        ),
        "encounter": link("encounter", "Encounter"),
        "extension": extensions(),
        # STU3 and DSTU2
        "context": other_version(),
        "definition": other_version(),
        "modified": other_version(),
        "relatedPlan": other_version(),
        "concern": other_version(),
        # R5
        "custodian": other_version(),
    },
    repeated={
        "detail.code": fact(coded(code=(SNOMED, LOINC, CPT, HCPCS), every="codings")),
        "detail.status": one_of(
            "activity_status", ACTIVITY, not_a_fact=("entered-in-error",), spellings=OF_ACTIVITY, modifier=True
        ),
        "detail.doNotPerform": not_a_fact_if_true(),
        "detail.goal": links("goals", "Goal"),
        # STU3
        "detail.prohibited": other_version(),
        "detail.category": other_version(),
    },
    parts=Parts(
        of="activity",
        known_by="detail.code",
        systems=(SNOMED, LOINC, CPT, HCPCS),
        alone=("kind",),
        spread=activities,
        beside="subject",
    ),
)
