"""Immunization → immunization: a vaccine given."""

from schemas.problems import Reason
from transforms.codes.systems import CVX
from transforms.rules import (
    Resource,
    choice,
    coded,
    instant,
    link,
    one_of,
    other_version,
    patient,
    required,
    withheld,
)

RESOURCE = Resource(
    source="Immunization",
    record="immunization",
    version=1,
    subject={"patient": patient()},
    fields={
        "vaccineCode": required(coded(code=CVX, every="codings", text_is=Reason.MISSING_CODE), Reason.MISSING_CODE),
        "occurrence[x]": choice(
            occurrenceDateTime=instant("occurrence", "occurrence_date"),
            occurrenceString=withheld("text-withheld"),
            missing=Reason.MISSING_TIME,
        ),
        "status": one_of("status", ("completed",), withdrawn=("entered-in-error",), not_a_fact=("not-done",)),
        "encounter": link("encounter", "Encounter"),
        # STU3 and DSTU2
        "notGiven": other_version(),
        "wasNotGiven": other_version(),
        "date": other_version(),
        # R5
        "administeredProduct": other_version(),
    },
)
