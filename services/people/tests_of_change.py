"""Tests of change: what a team tried for a measure, and from when on. They are shown on its chart; they move no line by themselves."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import uuid4

from sqlalchemy import Connection, insert, select

from schemas.errors import OperatorError
from services.registry.tables import test_of_change

NETWORK = ""
"""In the place of a site: the network's chart."""
LONGEST = 500
"""Characters of what was done."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What was tried."""

    site: str
    measure: str
    """The measure's id."""
    since: date
    what: str
    by: str
    noted: datetime


def note(connection: Connection, tried: Tried) -> None:
    """Keeps it. Raises OperatorError where it does not say what was done, or who says so."""
    if not tried.what.strip() or not tried.by.strip():
        raise OperatorError("a test of change needs what was done, and by whom", "Fill in both.")
    if len(tried.what) > LONGEST:
        raise OperatorError(f"a test of change is told in {LONGEST} characters at most", "Say it shorter.")
    row = {
        "id": uuid4().hex,
        "site": tried.site,
        "measure": tried.measure,
        "since_date": tried.since.isoformat(),
        "what": tried.what.strip(),
        "by": tried.by.strip(),
        "noted": tried.noted.astimezone(UTC),
    }
    connection.execute(insert(test_of_change).values(row))


def tried(connection: Connection, measure: str) -> list[Tried]:
    """All that was tried for a measure, by any site, in the order of time."""
    table = test_of_change
    rows = connection.execute(
        select(table).where(table.c.measure == measure).order_by(table.c.since_date, table.c.noted, table.c.id)
    )
    return [
        Tried(row.site, row.measure, date.fromisoformat(row.since_date), row.what, row.by, row.noted) for row in rows
    ]
