"""What the registry holds for a family: next visits, goals, who looked at their data."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, select

from services.access.viewers import Role
from services.home.showing import GOALS
from services.home.words import Language
from services.pages.patient_records import ENCOUNTER, NOT_COMING
from services.registry.tables import RECORD_TABLES
from services.research.requests import VIEWER, Request

GOAL, PERSON = RECORD_TABLES["goal"], RECORD_TABLES["person"]
OVER = ("completed", "cancelled", "rejected", "entered-in-error")
ROLES = {
    Role.CLINICIAN: "Your care team",
    Role.SITE_TEAM: "The clinic's improvement team",
    Role.COORDINATOR: "The network's coordinator",
    Role.RESEARCHER: "A researcher of the network",
}
NO_ROLE = {False: "You or your family", True: "Somebody of the network"}
"""Who has no role of the staff's: a family's device has none at all."""
DAYS_SHOWN = 30


def visits_of(connection: Connection, site: str, subject: str, today: date) -> list[date]:
    """The days of the next visits, three at most."""
    row = ENCOUNTER.c
    coming = (row.site == site, row.subject == subject, row.status == "planned", row.start_date >= today.isoformat())
    found = connection.execute(select(row.start_date, row.appointment_status).where(*coming).order_by(row.start_date))
    days = [each.start_date for each in found if (each.appointment_status or "") not in NOT_COMING]
    return [date.fromisoformat(day) for day in dict.fromkeys(days) if len(day) == len("2026-10-05")][:3]


def born_of(connection: Connection, site: str, subject: str) -> date | None:
    """The earliest day on which the patient can have been born; none where nothing of it is known."""
    row = PERSON.c
    born = connection.scalar(select(row.birth_date).where(row.site == site, row.subject == subject))
    return date.fromisoformat(born + "-01-01"[len(born) - len("2010") :]) if born else None


def goals_of(connection: Connection, site: str, subject: str) -> dict[str, float]:
    """The patient's own targets, by the curve they are drawn on; the last that was set."""
    row = GOAL.c
    query = select(row.measure, row.value, row.value_high, row.lifecycle_status).where(
        row.site == site, row.subject == subject
    )
    found = {}
    for each in connection.execute(query.order_by(row.id)):
        value = each.value if each.value is not None else each.value_high
        if each.measure in GOALS and value is not None and each.lifecycle_status not in OVER:
            found[GOALS[each.measure]] = float(value)
    return found


def looked(rows: Iterable[dict[str, Any]], subject: str, language: Language) -> list[tuple[str, str, int]]:
    """Who saw this patient's data: day, who, how often; the newest first. From the chain of views."""
    counted: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if subject in row["subjects"] and row["what"] in ("asked", "shown", "told"):
            counted[row["at"][:10], _who(row)] += 1
    shown = sorted(counted.items(), reverse=True)[:DAYS_SHOWN]
    return [(language.day(date.fromisoformat(day)), language.say(who), often) for (day, who), often in shown]


@dataclass(frozen=True, slots=True)
class Study:
    """What researchers asked for, and whether this patient's data were in it."""

    purpose: str
    result: str
    approved: int
    """Sites that gave their data."""
    given: date | None
    """When this patient's were among them; None where they never were."""


def studies(found: Iterable[Request], rows: Iterable[dict[str, Any]]) -> list[Study]:
    """All that was asked for, the newest first, each with whether this patient was in it. From the chain of views."""
    given = {
        row["viewer"].removeprefix(VIEWER): date.fromisoformat(row["at"][:10]) for row in rows if row["what"] == "told"
    }
    return [Study(each.purpose, each.result, len(each.approved), given.get(each.id)) for each in found]


def _who(row: dict[str, Any]) -> str:
    return next((words for role, words in ROLES.items() if role in row["roles"]), NO_ROLE[bool(row["roles"])])
