"""What is told as of a visit: a stream has no today, so each visit is a day on which something is told."""

from collections.abc import Iterator
from typing import NamedTuple

from transforms.derive.history import Fact, History, day_of

_NO_VISIT = frozenset({"planned", "cancelled", "entered-in-error"})
AS_OF_VISIT = "as of each visit, on its first day"


class Visit(NamedTuple):
    """An encounter that took place."""

    day: int
    fact: Fact


def visits(history: History) -> list[Visit]:
    """By day; a stretch of a visit, such as a stay on one ward, is counted with it."""
    took_place = (fact for fact in history.of("encounter") if fact.status not in _NO_VISIT and not fact.part_of)
    found = ((day_of(fact.start_date), fact) for fact in took_place)
    return sorted(
        (Visit(day, fact) for day, fact in found if day is not None), key=lambda visit: (visit.day, visit.fact.id)
    )


def on(visit: Visit) -> str | None:
    """The local date of a visit."""
    return visit.fact.start_date


def diagnosed(history: History, codes: frozenset[str], icd: tuple[str, ...]) -> Iterator[Fact]:
    """Conditions by SNOMED CT code or the beginning of an ICD-10-CM code; none refuted."""
    for fact in history.of("condition"):
        said = {fact.code, *(each.code for each in fact.codings)} - {None}
        if fact.verification_status not in ("refuted", "entered-in-error") and (
            said & codes or any(code.startswith(icd) for code in said if code)
        ):
            yield fact
