"""Which groups a person is of, in memory: what `compile/sql_tables.STRATA` says in SQL."""

from collections.abc import Sequence

from services.measures.compile.payers import LAST, SEVERAL
from services.measures.compile.people import Person


def group_of(person: Person, kind: str, day: str) -> str | None:
    """By one of `STRATA`; `day`: the local date on which somebody pays. None where it is not known."""
    if kind == "payer":
        return _payer(person, day)
    return _race(person) if kind == "race" else person.says(kind)


def _race(person: Person) -> str | None:
    told: Sequence[str] = next((each["race"] for each in person.of["person"] if each.get("race")), ())
    return None if not told else SEVERAL if len(told) > 1 else told[0]


def _payer(person: Person, day: str) -> str | None:
    standing = [
        (each.get("order", LAST), each["payer"])
        for each in person.of["coverage"]
        if "payer" in each and each.get("status", "active") == "active" and _holds(each, day)
    ]
    first = min((place for place, _ in standing), default=LAST)
    payers = {payer for place, payer in standing if place == first}
    return SEVERAL if len(payers) > 1 else next(iter(payers), None)


def _holds(coverage: dict[str, str], day: str) -> bool:
    """A date that is told by its month or year alone holds all of it."""
    start, end = coverage.get("start_date", ""), coverage.get("end_date", "")
    return start <= day and (not end or end >= day[: len(end)])
