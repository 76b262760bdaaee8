"""Where the record types keep what the language speaks of: the fields of each span, and what a missing end means."""

from dataclasses import dataclass
from typing import Literal

from services.measures.language.codes import ICD10CM, LOINC, RXNORM, SNOMED


@dataclass(frozen=True, slots=True)
class Columns:
    """Fields of a span: each end as local date and as instant. `without_end`: what it means that none is given."""

    start_date: str
    start: str | None
    end_date: str | None = None
    end: str | None = None
    without_end: Literal["a point", "goes on"] = "a point"
    ongoing: str | None = None
    """The field that says of one without an end that it goes on."""


SPANS: dict[tuple[str, str], Columns] = {
    ("encounter", "period"): Columns("start_date", "start", "end_date", "end", "goes on"),
    ("observation", "effective"): Columns(
        "effective_date", "effective", "effective_end_date", "effective_end", ongoing="effective_ongoing"
    ),
    ("observation", "issued"): Columns("issued_date", "issued"),
    ("procedure", "performed"): Columns(
        "performed_date", "performed", "performed_end_date", "performed_end", ongoing="performed_ongoing"
    ),
    ("medication", "authored"): Columns("start_date", "start"),
    ("service_request", "authored"): Columns("authored_date", "authored"),
    ("derived_observation", "effective"): Columns("effective_date", "effective"),
    ("pro_response", "effective"): Columns("effective_date", "effective"),
    ("enrolment", "membership"): Columns("start_date", "start", "end_date", "end", "goes on"),
    ("set_aside", "validity"): Columns("since_date", None, "until_date", None, "goes on"),
    ("encounter", "arrival"): Columns("arrived_date", "arrived"),
}
"""Spans that stand in fields as they are. Three more are made of several: `prevalence` of a condition, `supply` and `taking`
of a medication. `flags`, `arrived` and `arrived_date` are not the record's own: the registry says them of it."""

NORMALISED: dict[tuple[str, str], tuple[str, ...]] = {
    ("condition", SNOMED): ("code",),
    ("condition", ICD10CM): ("icd10cm",),
    ("observation", LOINC): ("code",),
    ("pro_response", LOINC): ("code",),
    ("medication", RXNORM): ("code", "ingredients"),
    ("procedure", SNOMED): ("code",),
}
"""Record type and code system → the fields that hold a normalised code, a text or a list of them."""

ACTIVE = ("active", "recurrence", "relapse")
"""Clinical statuses under which a diagnosis without an abatement goes on; under others its end is unknown."""
