"""What all resources about a drug have in common: which one it is, and what cannot be true of it."""

from schemas.problems import Reason
from transforms.codes.systems import RXNORM
from transforms.rules.codes import coded
from transforms.rules.contradictions import negative, of_itself, out_of_order
from transforms.rules.declaring import Choice, choice
from transforms.rules.meaning import fact
from transforms.rules.medicines import medication

DRUG_CONTRADICTIONS = (
    negative(
        "negative-amount",
        "dose",
        "dose_low",
        "quantity",
        "days_supply",
        "refills",
        "days",
        "days_low",
        "rate",
        "max_dose",
    ),
    of_itself("part-of-itself", "part_of"),
    of_itself("part-of-itself", "prior"),
    out_of_order("ends-before-start", "start_date", "end_date"),
)


DRUG_SPELLINGS = {
    "complete": "completed",
    "canceled": "cancelled",
    "suspended": "on-hold",
    "held": "on-hold",
    "aborted": "stopped",
}
"""v3's ActStatus, as HL7's C-CDA on FHIR reads it, and common spellings."""


def drug() -> Choice:
    """`medication[x]` → the drug by RxNorm, as a code or by a Medication: without one there is no record."""
    return choice(
        medicationCodeableConcept=fact(coded(code=RXNORM, every="codings", text_is=Reason.MISSING_CODE)),
        medicationReference=medication(
            code=RXNORM,
            every="codings",
            ingredients="ingredients",
            ingredient_system=RXNORM,
            by_reference="drug_by_reference",
            strengths="strengths",
        ),
        missing=Reason.MISSING_CODE,
        fatal=True,
    )
