"""What the registry holds of some patients, as `patient_state` takes it; and who of them is booked on a day."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, func, select

from services.pages.patient_state import Kept, Value, in_order
from services.registry.tables import RECORD_TABLES

PERSON, ENCOUNTER, CONDITION = (RECORD_TABLES[name] for name in ("person", "encounter", "condition"))
DERIVED, MEDICATION, ISSUE = (RECORD_TABLES[name] for name in ("derived_observation", "medication", "issue"))
OBSERVATION = RECORD_TABLES["observation"]
MEASURED = {"8302-2": ("height", "cm"), "29463-7": ("weight", "kg")}
"""By LOINC code; in another unit a reading is left out, as those are that do not stand."""
STANDS = ("final", "amended", "corrected")
NOT_COMING = ("cancelled", "noshow", "entered-in-error")
DOUBTED = ("refuted", "entered-in-error")
ENDED = ("completed", "cancelled", "rejected", "failed", "entered-in-error")
"""Statuses of an issue that waits for nobody."""
DRUGS = {
    "8640": "prednisone",
    "8638": "prednisolone",
    "6902": "methylprednisolone",
    "5492": "hydrocortisone",
    "3264": "dexamethasone",
    "19831": "budesonide",
    "191831": "infliximab",
    "327361": "adalimumab",
    "52582": "mesalamine",
    "1256": "azathioprine",
    "6851": "methotrexate",
    "2256944": "elexacaftor",
    "1243041": "ivacaftor",
    "51428": "insulin glargine",
    "86009": "insulin lispro",
    "41126": "fluticasone",
    "435": "albuterol",
}
"""RxNorm ingredients the network's patients are often given, in words."""


def open_issues() -> ColumnElement[bool]:
    """Issues of patient and family that wait for an answer."""
    return and_(func.coalesce(ISSUE.c.status, "").not_in(ENDED), ISSUE.c.raised_by.in_(("patient", "family")))


def appointments(connection: Connection, site: str, day: date) -> list[tuple[str, str]]:
    """Subjects and times of a day's bookings, in their order. Times are in UTC: the stream carries no site's zone."""
    visit = ENCOUNTER.c
    rows = connection.execute(
        select(visit.subject, visit.start)
        .where(visit.start_date == day.isoformat(), _booked(site))
        .order_by(visit.start, visit.subject)
    )
    return [(row.subject, f"{row.start:%H:%M} UTC" if row.start else "–") for row in rows]


def next_day(connection: Connection, site: str, since: date) -> date | None:
    """The first day from `since` on for which somebody is booked."""
    day = ENCOUNTER.c.start_date
    whole = func.length(day) == len("2026-10-05")
    query = select(func.min(day)).where(_booked(site), whole, day >= since.isoformat())
    return _day(connection.scalar(query))


def _booked(site: str) -> ColumnElement[bool]:
    visit = ENCOUNTER.c
    coming = func.coalesce(visit.appointment_status, "").not_in(NOT_COMING)  # a planned Encounter has none
    return and_(visit.site == site, visit.status == "planned", coming)


def kept_of(connection: Connection, site: str, subjects: Sequence[str]) -> dict[str, Kept]:
    """By subject, of each that the site has."""
    measured = _measured(connection, site, subjects)
    people = {row["subject"]: row for row in _rows(connection, PERSON, site, subjects)}
    diagnoses, treatments, raised = defaultdict(list), defaultdict(list), defaultdict(list)
    values: dict[str, list[tuple[str, Value]]] = defaultdict(list)
    for row in _rows(connection, CONDITION, site, subjects):
        if row["verification_status"] not in DOUBTED:
            diagnoses[row["subject"]].append((row["code"], row["icd10cm"]))
    for row in _rows(connection, MEDICATION, site, subjects):
        if row["status"] == "active" and (name := _named(row)):
            treatments[row["subject"]].append(name)
    for row in _rows(connection, DERIVED, site, subjects):
        if when := _day(row["effective_date"]):
            values[row["subject"]].append((row["method"], (when, float(row["value"]), row["value_code"])))
    for row in _rows(connection, ISSUE, site, subjects):
        if row["status"] not in ENDED and row["raised_by"] in ("patient", "family"):
            raised[row["subject"]].append((_topic(row), _day(row["raised_date"])))
    return {
        subject: Kept(
            subject,
            _day(person["birth_date"]),
            person["sex"],
            tuple(diagnoses[subject]),
            in_order(values[subject]),
            tuple(sorted(set(treatments[subject]))),
            tuple(raised[subject]),
            measured[subject],
        )
        for subject, person in people.items()
    }


def _measured(
    connection: Connection, site: str, subjects: Sequence[str]
) -> Mapping[str, dict[str, list[tuple[date, float]]]]:
    """By subject, what is drawn among percentiles."""
    row = OBSERVATION.c
    query = select(row.subject, row.code, row.value, row.unit, row.effective_date).where(
        row.site == site,
        row.subject.in_(subjects),
        row.code.in_(MEASURED),
        row.value.is_not(None),
        row.status.in_(STANDS),
    )
    found: dict[str, dict[str, list[tuple[date, float]]]] = defaultdict(lambda: defaultdict(list))
    for each in connection.execute(query.order_by(row.effective_date, row.id)).mappings():
        name, unit = MEASURED[each["code"]]
        if each["unit"] == unit and (when := _day(each["effective_date"])):
            found[each["subject"]][name].append((when, float(each["value"])))
    return found


def _rows(connection: Connection, table: Table, site: str, subjects: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    query = select(table).where(table.c.site == site, table.c.subject.in_(subjects)).order_by(table.c.id)
    for row in connection.execute(query).mappings():
        yield dict(row)


def _named(row: Mapping[str, Any]) -> str | None:
    """What a drug is called; the stream carries codes alone."""
    code: str | None = row["code"]
    return DRUGS.get(code, f"RxNorm {code}") if code else None


def _topic(row: Mapping[str, Any]) -> str:
    return next((each["display"] for each in row["codings"] or [] if each.get("display")), None) or "something"


def _day(text: str | None) -> date | None:
    """A date known to the day; a month or a year alone tells too little here."""
    return date.fromisoformat(text) if text and len(text) == len("2026-10-05") else None
