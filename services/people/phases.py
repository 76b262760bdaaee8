"""New lines of a chart: proposed by rule, begun by a person with a reason, kept with both; taken back the same way."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import Connection, select, update

from schemas.errors import OperatorError
from services.charts.rebasing import Cause
from services.registry.tables import chart_phase
from services.registry.write import write


@dataclass(frozen=True, slots=True)
class Begun:
    """From a day on a chart has new lines."""

    measure: str
    """The measure's id."""
    site: str
    """Whose chart; empty for the network's."""
    since: date
    """First day of the first period."""
    cause: Cause
    by: str
    reason: str
    approved: datetime


def begin(connection: Connection, begun: Begun, *, proposed: Iterable[tuple[date, Cause]]) -> None:
    """Begins new lines. Raises OperatorError without a name or a reason, and where no rule proposes them:
    a chart that is given new lines because it got worse stops telling that it got worse.
    """
    if not begun.by.strip() or not begun.reason.strip():
        raise OperatorError("new lines need the name of who approves them, and the reason", "Fill in both.")
    if (begun.since, begun.cause) not in set(proposed):
        raise OperatorError(
            "no rule proposes new lines from there on",
            "They begin where a measure got better and stayed so, is counted otherwise, or something noted was tried.",
        )
    row = (
        begun.measure,
        begun.site,
        begun.since.isoformat(),
        str(begun.cause),
        begun.by.strip(),
        begun.reason.strip(),
        begun.approved.astimezone(UTC),
        None,
        None,
        None,
    )
    write(connection, chart_phase, [row], replace=True)


def take_back(connection: Connection, begun: Begun, *, by: str, reason: str, at: datetime) -> None:
    """The lines of before hold again. Raises OperatorError without a name or a reason."""
    if not by.strip() or not reason.strip():
        raise OperatorError("taking new lines back needs the name of who does it, and the reason", "Fill in both.")
    table = chart_phase.c
    connection.execute(
        update(chart_phase)
        .where(table.measure == begun.measure, table.site == begun.site, table.since_date == begun.since.isoformat())
        .values(withdrawn=at.astimezone(UTC), withdrawn_by=by.strip(), withdrawn_reason=reason.strip())
    )


def begun(connection: Connection, measure: str) -> list[Begun]:
    """The new lines that hold, of every chart of a measure, in the order of time."""
    table = chart_phase.c
    rows = connection.execute(
        select(chart_phase)
        .where(table.measure == measure, table.withdrawn.is_(None))
        .order_by(table.site, table.since_date)
    )
    return [
        Begun(
            row.measure,
            row.site,
            date.fromisoformat(row.since_date),
            Cause(row.cause),
            row.by,
            row.reason,
            row.approved,
        )
        for row in rows
    ]
