"""Procedure → procedure."""

from schemas.problems import Reason
from transforms.codes.systems import CPT, ICD10PCS, SNOMED
from transforms.rules import (
    Resource,
    choice,
    coded,
    codings,
    fact,
    instant,
    link,
    one_of,
    other_version,
    patient,
    period,
    required,
    withheld,
)

STATUS = ("preparation", "in-progress", "on-hold", "stopped", "completed", "unknown")

RESOURCE = Resource(
    source="Procedure",
    record="procedure",
    version=1,
    subject={"subject": patient()},
    fields={
        "code": required(
            fact(coded(code=(SNOMED, CPT, ICD10PCS), every="codings", text_is=Reason.MISSING_CODE)),
            Reason.MISSING_CODE,
        ),
        "performed[x]": choice(
            performedDateTime=instant("performed", "performed_date"),
            performedPeriod=period(start=("performed", "performed_date"), end=("performed_end",)),
            performedString=withheld("text-withheld"),
        ),
        "status": one_of(
            "status",
            STATUS,
            withdrawn=("entered-in-error",),
            not_a_fact=("not-done",),
            spellings={"complete": "completed", "aborted": "stopped"},
            modifier=True,
        ),
        "reasonCode": codings("reasons"),
        "encounter": link("encounter", "Encounter"),
        # STU3 and DSTU2
        "context": other_version(),
        "notDone": other_version(),
        "notPerformed": other_version(),
        "definition": other_version(),
        # R5
        "occurrenceDateTime": other_version(),
        "occurrencePeriod": other_version(),
    },
)
