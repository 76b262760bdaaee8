"""Coverage → coverage: who pays for a patient's care. Subscribers, policy holders, payors, plans and all their numbers are not read."""

from transforms.rules import (
    Resource,
    extensions,
    one_of,
    other_version,
    out_of_order,
    patient,
    payer,
    period,
    place_in_line,
    replaced,
)

RESOURCE = Resource(
    source="Coverage",
    record="coverage",
    version=1,
    subject={"beneficiary": patient()},
    contradictions=(out_of_order("ends-before-start", "start_date", "end_date"),),
    fields={
        "type": payer("payer"),
        "status": one_of(
            "status",
            ("active", "cancelled"),
            withdrawn=("entered-in-error",),
            not_a_fact=("draft",),
            spellings={"canceled": "cancelled"},
            modifier=True,
        ),
        "order": place_in_line("order"),
        "period": period(start=("start", "start_date"), end=("end", "end_date")),
        "extension": extensions(replaced("replaces", "Coverage")),
        # STU3 and DSTU2
        "grouping": other_version(),
        "sequence": other_version(),
        "bin": other_version(),
        "issuer": other_version(),
        # R5
        "kind": other_version(),
        "paymentBy": other_version(),
        "insurer": other_version(),
        "insurancePlan": other_version(),
    },
)
