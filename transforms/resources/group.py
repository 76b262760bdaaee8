"""Group → enrolment, a record a member: who is in a registry, as the source lists them.

An inactive member, and one whose period ended, has finished. One whom the list no longer names was in it by mistake or
left nobody knows when: the record is withdrawn, as are all of a Group that is no longer in use.
"""

from schemas.problems import Reason
from transforms.rules import (
    Members,
    Resource,
    choice,
    gone_if_wrong,
    membership,
    other_version,
    out_of_order,
    patient,
    period,
    persons_only,
    programme,
    programme_named,
    to_come,
    unless_false,
)

RESOURCE = Resource(
    source="Group",
    record="enrolment",
    version=1,
    subject={"entity": patient()},
    members=Members(
        of="member",
        known_by="entity",
        reads=("period", "inactive"),
        count="quantity",
        otherwise={"inactive": b"false"},
    ),
    contradictions=(
        out_of_order("ends-before-start", "start_date", "end_date"),
        to_come("status", ("active", "finished"), start="start_date", end="end_date"),
    ),
    fields={
        "type": persons_only(),
        "actual": unless_false(Reason.DEFINITION),
        "active": unless_false(Reason.NOT_A_FACT),
        "code[x]": choice(
            code=programme(registry="registry", every="codings", named_by="name", public=True),
            instead={"name": programme_named("registry")},
            missing=Reason.MISSING_CODE,
        ),
        "period": period(start=("start", "start_date"), end=("end", "end_date")),
        "inactive": membership("status", period="period"),
        "status": gone_if_wrong(),
        # R5
        "membership": other_version(),
        "combinationMethod": other_version(),
        "purpose": other_version(),
    },
)
