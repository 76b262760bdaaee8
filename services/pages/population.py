"""A site's patients with what is last known of each: read at once, kept small, put in order by risk or by what is overdue."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from sqlalchemy import Connection, Select, func, or_, select

from services.pages.patient_records import CONDITION, DERIVED, DOUBTED, ENCOUNTER, ISSUE, PERSON, open_issues
from services.pages.patient_state import (
    EXPECTED,
    STATES,
    WITHIN,
    Kept,
    Value,
    age,
    diseases,
    in_order,
    overdue,
    standing_out,
)

Order = Literal["risk", "overdue"]
LUNGS = "fev1-percent-predicted-gli2022"
"""Of this a year is looked at: it may have fallen."""
NEEDED = sorted({*(state.method for state in STATES), *(method for each in EXPECTED for method in each.methods)})


@dataclass(frozen=True, slots=True)
class Listed:
    """One patient on the list."""

    subject: str
    years: int | None
    diseases: tuple[str, ...]
    out: tuple[str, ...]
    """What stands out."""
    overdue: tuple[str, ...]
    last_visit: date | None
    next_visit: date | None
    raised: int
    """Issues of patient and family that wait for an answer."""


@dataclass(frozen=True, slots=True)
class Population:
    """A site's patients with one of the network's conditions."""

    patients: tuple[Listed, ...]
    others: int
    """Patients of the site with none of them."""

    def in_order(self, order: Order, disease: str = "") -> list[Listed]:
        """Those at most risk, or with most overdue, first; among alike, who was not seen for longest."""
        found = [each for each in self.patients if not disease or disease in each.diseases]
        return sorted(found, key=lambda each: (*_weight(each, order), each.last_visit or date.min, each.subject))


def _weight(patient: Listed, order: Order) -> tuple[int, int]:
    risk, late = -len(patient.out), -len(patient.overdue)
    return (risk, late) if order == "risk" else (late, risk)


def population_of(connection: Connection, site: str, today: date) -> Population:
    """Reads the site's patients."""
    people = {row["subject"]: row for row in _rows(connection, select(PERSON).where(PERSON.c.site == site))}
    diagnoses = _diagnoses(connection, site)
    values, visits, raised = (
        _values(connection, site, today),
        _visits(connection, site, today),
        _raised(connection, site),
    )
    listed = []
    for subject, person in people.items():
        kept = Kept(
            subject,
            _day(person["birth_date"]),
            person["sex"],
            tuple(diagnoses[subject]),
            in_order(values[subject]),
        )
        if found := tuple(diseases(kept)):
            out, late = tuple(standing_out(kept)), tuple(overdue(kept, today))
            last, coming = visits.get(subject, (None, None))
            listed.append(Listed(subject, age(kept, today), found, out, late, last, coming, raised[subject]))
    return Population(tuple(listed), len(people) - len(listed))


def _diagnoses(connection: Connection, site: str) -> Mapping[str, list[tuple[str | None, str | None]]]:
    found: dict[str, list[tuple[str | None, str | None]]] = defaultdict(list)
    row = CONDITION.c
    query = select(row.subject, row.code, row.icd10cm).where(row.site == site)
    made = query.where(func.coalesce(row.verification_status, "").not_in(DOUBTED))
    for each in _rows(connection, made):
        found[each["subject"]].append((each["code"], each["icd10cm"]))
    return found


def _values(connection: Connection, site: str, today: date) -> Mapping[str, list[tuple[str, Value]]]:
    """Each method's last value, and a year of lung function."""
    row = DERIVED.c
    newest = func.row_number().over(
        partition_by=(row.subject, row.method), order_by=(row.effective_date.desc(), row.id)
    )
    ranked = (
        select(row.site, row.subject, row.method, row.value, row.value_code, row.effective_date, newest.label("nth"))
        .where(row.site == site, row.method.in_(NEEDED), func.length(row.effective_date) == len("2026-10-05"))
        .subquery()
    )
    year = (today - WITHIN).isoformat()
    wanted = or_(ranked.c.nth == 1, (ranked.c.method == LUNGS) & (ranked.c.effective_date >= year))
    found: dict[str, list[tuple[str, Value]]] = defaultdict(list)
    for each in connection.execute(select(ranked).where(wanted)).mappings():
        value = (date.fromisoformat(each["effective_date"]), float(each["value"]), each["value_code"])
        found[each["subject"]].append((each["method"], value))
    return found


def _visits(connection: Connection, site: str, today: date) -> dict[str, tuple[date | None, date | None]]:
    """The last visit that was and the next that is booked."""
    row, now = ENCOUNTER.c, today.isoformat()
    booked = func.coalesce(row.status, "") == "planned"
    last = func.max(row.start_date).filter(~booked, row.start_date <= now)
    coming = func.min(row.start_date).filter(booked, row.start_date >= now)
    query = select(row.subject, last.label("last"), coming.label("coming")).group_by(row.subject)
    off = func.coalesce(row.status, "").not_in(("cancelled", "entered-in-error"))
    whole = func.length(row.start_date) == len("2026-10-05")
    found = _rows(connection, query.where(row.site == site, off, whole))
    return {each["subject"]: (_day(each["last"]), _day(each["coming"])) for each in found}


def _raised(connection: Connection, site: str) -> Mapping[str, int]:
    query = select(ISSUE.c.subject, func.count().label("n")).where(ISSUE.c.site == site, open_issues())
    return defaultdict(int, {row["subject"]: row["n"] for row in _rows(connection, query.group_by(ISSUE.c.subject))})


def _rows(connection: Connection, query: Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text and len(text) == len("2026-10-05") else None
