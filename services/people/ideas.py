"""The library of ideas: what anybody proposes to be tried for a measure, as a plan that a site takes over with one click."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection, insert, select

from schemas.errors import OperatorError
from services.people.tests_of_change import LONGEST, Plan, Tried, note, tried_of
from services.registry.tables import idea

WEEKS = range(1, 105)


@dataclass(frozen=True, slots=True)
class Idea:
    """One of them."""

    id: str
    measure: str
    """The measure's id."""
    what: str
    aim: float
    weeks: int
    """From its beginning until the aim is to be reached."""
    prediction: str
    start: str
    issue: str
    """The issue it answers; empty where none."""
    role: str
    by: str
    """Never shown."""
    at: datetime


def propose(connection: Connection, proposed: Idea) -> str:
    """Keeps it; returns its id. The same of the same person is not kept twice. Raises OperatorError where a part of the plan is missing."""
    for said, what in (
        (proposed.what, "what is to be done"),
        (proposed.prediction, "what is predicted"),
        (proposed.start, "how small it starts"),
    ):
        if not said.strip() or len(said) > LONGEST:
            raise OperatorError(f"an idea needs {what}, in 1 to {LONGEST} characters", "Fill it in.")
    if proposed.weeks not in WEEKS:
        raise OperatorError(f"an idea is tried for {WEEKS[0]} to {WEEKS[-1]} weeks", "Choose so many.")
    row = {name: getattr(proposed, name) for name in Idea.__dataclass_fields__}
    same = (idea.c[name] == value for name, value in row.items() if name not in ("id", "at"))
    if (found := connection.scalar(select(idea.c.id).where(*same))) is not None:
        return str(found)
    connection.execute(insert(idea).values(**row | {"at": proposed.at.astimezone(UTC)}))
    return proposed.id


def new_id() -> str:
    """Of an idea."""
    return uuid4().hex


def ideas(connection: Connection) -> list[Idea]:
    """All, the newest first."""
    return [_idea(each) for each in connection.execute(select(idea).order_by(idea.c.at.desc(), idea.c.id)).mappings()]


def idea_of(connection: Connection, ident: str) -> Idea | None:
    """One of them."""
    row = connection.execute(select(idea).where(idea.c.id == ident)).mappings().first()
    return None if row is None else _idea(row)


def adopt(connection: Connection, found: Idea, site: str, *, by: str, at: datetime) -> str:
    """A site tries it from today on, by its plan; returns the test's id. Raises OperatorError where it tries it since another day."""
    today = at.date()
    for each in tried_of(connection, found.id):
        if each.site == site and not each.ended:
            if each.since == today:
                return each.id
            raise OperatorError("this site tries it already", "See what it taught on the measure's page.")
    plan = Plan(found.aim, today + timedelta(weeks=found.weeks), found.prediction, found.start)
    return note(connection, Tried(site, found.measure, today, found.what, by, at, plan, found.id))


def _idea(row: object) -> Idea:
    return Idea(**dict(row))  # type: ignore[call-overload]
