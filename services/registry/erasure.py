"""A subject forgotten: nothing of them is kept, and nothing is taken again, whatever a late or replaying stream brings."""

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, delete, exists, inspect, or_, select, update

from mainstem.consumer import Received
from mainstem.consumer.subjects import consumer_subject, given_again, no_extract
from schemas.errors import OperatorError
from schemas.subjects import Wish
from services.registry.said import amendment, amendment_voice
from services.registry.tables import (
    RECORD_TABLES,
    SAID,
    consent_request,
    contest,
    erased,
    family_link,
    history,
    idea,
    issue_follow,
    issue_raised,
    metadata,
)
from services.registry.write import write

GROUP = "registry"
"""The consumer group that keeps a registry."""


def hand_of(way: str) -> str:
    """As what a family said names whose hand it was: by which way in (`family_link.id`) it came."""
    return f"family/{way}"


def erase(connection: Connection, subjects: Iterable[str], at: datetime, *, told: bool = False) -> int:
    """Forgets subjects, in the caller's transaction, with what they said and what was said of their records; returns how many records
    and changes of theirs went. `told`: their site says so, and may say that consent is given again; else it is for good.

    A record that was theirs once loses its changes under their name alone: it may be another's now.
    """
    gone = sorted(set(subjects))
    write(connection, erased, [(subject, at, told) for subject in gone], replace=True)
    tables = [table for table in (*RECORD_TABLES.values(), history) if "subject" in table.c]
    for subject in gone:
        _forget_said(connection, subject)
    return sum(
        connection.execute(delete(table).where(table.c.subject == subject)).rowcount
        for subject in gone
        for table in tables
    )


def _forget_said(connection: Connection, subject: str) -> None:
    """What the subject's family said, on whichever page, and what clinicians said of the subject's records."""
    ways = connection.scalars(select(family_link.c.id).where(family_link.c.subject == subject))
    hands = [hand_of(way) for way in ways]
    raised = select(issue_raised.c.id).where(issue_raised.c.by.in_(hands))
    same = issue_raised.c.merged_into.in_(raised.scalar_subquery())
    connection.execute(update(issue_raised).where(same).values(merged_into=""))
    follows = or_(issue_follow.c.by.in_(hands), issue_follow.c.issue.in_(raised))
    connection.execute(delete(issue_follow).where(follows))
    for table in (idea, amendment):
        answers = table.c.issue.in_(raised.scalar_subquery())
        connection.execute(update(table).where(answers).values(issue=""))
    connection.execute(delete(amendment_voice).where(amendment_voice.c.by.in_(hands)))
    connection.execute(delete(issue_raised).where(issue_raised.c.by.in_(hands)))
    theirs, others = (
        select(history.c.record).where(of) for of in (history.c.subject == subject, history.c.subject != subject)
    )
    connection.execute(delete(contest).where(contest.c.record.in_(theirs), contest.c.record.not_in(others)))
    for table in metadata.sorted_tables:
        if table.info == SAID and "subject" in table.c:
            connection.execute(delete(table).where(table.c.subject == subject))


def erase_told(connection: Connection, subjects: Sequence[str]) -> int:
    """The same for the consumer kit: of subjects whose site says so."""
    return erase(connection, subjects, datetime.now(UTC), told=True)


def not_extracted(connection: Connection) -> frozenset[str]:
    """Subjects of whom nothing goes into an extract: consent to research is withdrawn, or their family asked for that today."""
    asked = _asked_to_stop(connection)
    if not inspect(connection).has_table(consumer_subject.name):
        return asked
    return asked | frozenset(connection.scalars(select(consumer_subject.c.subject).where(no_extract(GROUP))))


def is_another(connection: Connection, subject: str) -> bool:
    """Whether a subject's records stand under another one now: its patient was merged, or the site's key changed."""
    if not inspect(connection).has_table(consumer_subject.name):
        return False
    row = consumer_subject.c
    query = select(row.superseded_by).where(row.consumer_group == GROUP, row.subject == subject)
    return connection.scalar(query) is not None


def were_another(connection: Connection, subject: str) -> list[str]:
    """The subjects that a subject was before, directly or by others."""
    if not inspect(connection).has_table(consumer_subject.name):
        return []
    row, found, waiting = consumer_subject.c, list[str](), [subject]
    while waiting:
        query = select(row.subject).where(row.consumer_group == GROUP, row.superseded_by == waiting.pop())
        new = [each for each in connection.scalars(query.order_by(row.subject)) if each not in (subject, *found)]
        found += new
        waiting += new
    return found


def _asked_to_stop(connection: Connection) -> frozenset[str]:
    """Whose family's last word on a scope is to withdraw, which their site has not decided yet: nobody waits for that here."""
    row = consent_request.c
    rows = connection.execute(select(row.whom, row.scope, row.wish, row.done).order_by(row.at, row.id))
    last = {(each.whom, each.scope): each for each in rows}
    return frozenset(each.whom for each in last.values() if each.done is None and each.wish != Wish.GIVE)


def proven(subjects: Sequence[str]) -> Sequence[str]:
    """The subjects, if all are pseudonyms of this network's form. Raises OperatorError."""
    if not all(re.fullmatch("s-[0-9a-f]{32}", subject) for subject in subjects):
        raise OperatorError("a subject is `s-` and 32 digits of 0-9 and a-f", "Give whole pseudonyms.")
    return subjects


def forgotten(connection: Connection, subjects: Collection[str] | None = None) -> set[str]:
    """Those of the subjects, or of all, of whom nothing is kept: erased here, or of whom a consumer of this database was told first."""
    known = inspect(connection).has_table(consumer_subject.name)
    here, told = select(erased.c.subject), select(consumer_subject.c.subject).where(consumer_subject.c.erase)
    if known:
        here = here.where(_stands())
    found = set[str]()
    for query in (here, told) if known else (here,):
        column = query.selected_columns.subject
        found.update(connection.scalars(query if subjects is None else query.where(column.in_(sorted(subjects)))))
    return found


def erasures(connection: Connection, since: datetime | None) -> list[dict[str, object]]:
    """Who is erased, `subject` and `at`, then or later; not of whom consent was given again."""
    query = select(erased.c.subject, erased.c.at).order_by(erased.c.at, erased.c.subject)
    if inspect(connection).has_table(consumer_subject.name):
        query = query.where(_stands())
    rows = connection.execute(query if since is None else query.where(erased.c.at >= since)).mappings()
    return [dict(row) for row in rows]


def _stands() -> ColumnElement[bool]:
    """Of erasures, those that the site has not taken back."""
    again = exists().where(given_again(GROUP), consumer_subject.c.subject == erased.c.subject)
    return or_(erased.c.told.is_(False), ~again)


def without_erased(connection: Connection, events: Sequence[Received]) -> Sequence[Received]:
    """The events of subjects who are not erased, or whose site says that consent was given again."""
    if not connection.scalar(select(exists(select(erased.c.subject)))):
        return events
    asked = sorted({event.subject for event in events})
    query = select(erased.c.subject).where(erased.c.subject.in_(asked))
    if inspect(connection).has_table(consumer_subject.name):
        query = query.where(_stands())
    gone = set(connection.scalars(query))
    return [event for event in events if event.subject not in gone]
