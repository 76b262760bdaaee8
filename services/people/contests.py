"""A record that a clinician says is wrong: with a reason as a code, so that nothing of a patient is written; answered by the site."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, insert, select, update

from mainstem.database import in_turn
from schemas.errors import OperatorError
from services.registry.tables import contest


class ContestReason(StrEnum):
    """What is wrong."""

    OTHER_PERSON = "other-person"
    WRONG_VALUE = "wrong-value"
    WRONG_UNIT = "wrong-unit"
    WRONG_TIME = "wrong-time"
    WRONG_CODE = "wrong-code"
    NOT_SO = "not-so"
    TWICE = "twice"

    @property
    def words(self) -> str:
        """For people."""
        return REASONS[self]


class Answer(StrEnum):
    """What became of it."""

    CORRECTED = "corrected-at-source"
    MAPPING = "mapping-corrected"
    STANDS = "stands-as-it-is"
    UNFOUND = "not-found-at-source"

    @property
    def words(self) -> str:
        """For people."""
        return ANSWERS[self]


REASONS = {
    ContestReason.OTHER_PERSON: "It is another person's",
    ContestReason.WRONG_VALUE: "The value is wrong",
    ContestReason.WRONG_UNIT: "The unit is wrong",
    ContestReason.WRONG_TIME: "The date or time is wrong",
    ContestReason.WRONG_CODE: "It is called something else than it is",
    ContestReason.NOT_SO: "The patient does not have or take this",
    ContestReason.TWICE: "It is here twice",
}
ANSWERS = {
    Answer.CORRECTED: "Corrected at the source; the next load brings it",
    Answer.MAPPING: "Read wrongly, and put right; the next load brings it",
    Answer.STANDS: "Looked at: it is right as it is",
    Answer.UNFOUND: "Not found at the source",
}


@dataclass(frozen=True, slots=True)
class Contest:
    """One record that was contested."""

    id: str
    site: str
    record: str
    type: str
    reason: ContestReason
    by: str
    at: datetime
    answer: Answer | None = None
    answered_by: str | None = None
    answered: datetime | None = None


def raise_contest(
    connection: Connection, site: str, record: tuple[str, str], reason: ContestReason, *, by: str, at: datetime
) -> None:
    """Keeps it; `record`: type and id. One that waits for the same reason is not raised again."""
    in_turn(connection, f"contesting {record[1]}")
    waiting = [each for each in contests(connection, site, record[1]) if each.answer is None and each.reason == reason]
    if not waiting:
        row = {"id": uuid4().hex, "site": site, "type": record[0], "record": record[1], "reason": str(reason)}
        connection.execute(insert(contest).values(**row, by=by, at=at.astimezone(UTC)))


def answer_contest(connection: Connection, site: str, ident: str, answer: Answer, *, by: str, at: datetime) -> None:
    """Answers one of the site's. Raises OperatorError where there is none, or it was answered."""
    done = connection.execute(
        update(contest)
        .where(contest.c.id == ident, contest.c.site == site, contest.c.answer.is_(None))
        .values(answer=str(answer), answered_by=by, answered=at.astimezone(UTC))
    )
    if done.rowcount != 1:
        raise OperatorError("this one waits for no answer", "Load the page again: somebody may have answered it.")


def contests(connection: Connection, site: str, record: str = "") -> list[Contest]:
    """All of a site, or of one record, those that wait first, the oldest first."""
    query = select(contest).where(contest.c.site == site)
    query = query.where(contest.c.record == record) if record else query
    rows = connection.execute(query.order_by(contest.c.answered.is_not(None), contest.c.at, contest.c.id)).mappings()
    return [Contest(**{**row, **_read(row)}) for row in rows]


def _read(row: RowMapping) -> dict[str, ContestReason | Answer | None]:
    return {"reason": ContestReason(row["reason"]), "answer": Answer(row["answer"]) if row["answer"] else None}
