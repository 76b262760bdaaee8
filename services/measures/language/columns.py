"""Where the record types keep what the language speaks of: the fields of each span, and what a missing end means."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Columns:
    """Fields of a span: each end as local date and as instant. `without_end`: what it means that none is given."""

    start_date: str
    start: str
    end_date: str | None = None
    end: str | None = None
    without_end: Literal["a point", "goes on"] = "a point"


SPANS: dict[tuple[str, str], Columns] = {
    ("encounter", "period"): Columns("start_date", "start", "end_date", "end", "goes on"),
    ("observation", "effective"): Columns("effective_date", "effective", "effective_end_date", "effective_end"),
    ("observation", "issued"): Columns("issued_date", "issued"),
    ("procedure", "performed"): Columns("performed_date", "performed", "performed_end_date", "performed_end"),
    ("medication", "authored"): Columns("start_date", "start"),
    ("service_request", "authored"): Columns("authored_date", "authored"),
}
"""Spans that stand in fields as they are. Two more are made of several: `prevalence` of a condition, `supply` of a
medication."""

ACTIVE = ("active", "recurrence", "relapse")
"""Clinical statuses under which a diagnosis without an abatement goes on; under others its end is unknown."""
