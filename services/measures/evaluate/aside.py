"""Who a site sets aside from a measure, for a coded reason and until a day: counted, shown on the page, and over by itself."""

import uuid
from datetime import date
from typing import Literal, get_args

from sqlalchemy import Connection, delete, exists, select

from schemas.errors import OperatorError
from services.measures.declared import Measure
from services.registry.tables import RECORD_TABLES, set_aside

SetAsideReason = Literal["other-care", "other-diagnosis", "declined", "trial", "data-wrong", "too-ill"]
"""Cared for elsewhere; another disease; does not want to be counted; in a trial that sets the treatment; the record is wrong and
will be mended; so ill that the aim is not theirs."""
REASONS: tuple[str, ...] = get_args(SetAsideReason)
LONGEST_DAYS = 400
"""An exclusion is looked at again within a year or so."""


def put_aside(
    connection: Connection, measure: Measure, subject: str, *, reason: str, since: date, until: date, by: str
) -> str:
    """Excludes a person from a measure for a time; gives the id. OperatorError for what cannot be meant."""
    if reason not in REASONS:
        raise OperatorError(f"no reason '{reason}'", f"Give one of {', '.join(REASONS)}.")
    if not 0 <= (until - since).days <= LONGEST_DAYS:
        raise OperatorError(
            f"from {since} to {until} is no time to set somebody aside for", f"Give at most {LONGEST_DAYS} days."
        )
    person = RECORD_TABLES["person"]
    site = connection.scalar(select(person.c.site).where(person.c.subject == subject))
    if site is None:
        raise OperatorError("the registry knows no such subject", "Take its pseudonym from a report or an event: s-…")
    own = {"measure": measure.id, "subject": subject, "site": site, "reason": reason, "by": by}
    dates = {"since_date": since.isoformat(), "until_date": until.isoformat()}
    id_ = f"x-{uuid.uuid4().hex}"
    connection.execute(set_aside.insert().values(id=id_, **own, **dates))
    return id_


def take_back(connection: Connection, measure: Measure, subject: str) -> int:
    """Ends what sets a person aside from a measure; gives how many there were."""
    held = (set_aside.c.measure == measure.id, set_aside.c.subject == subject)
    if not connection.scalar(select(exists().where(*held))):
        return 0
    return connection.execute(delete(set_aside).where(*held)).rowcount
