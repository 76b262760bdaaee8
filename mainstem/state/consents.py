"""Consent: who withdrew it for what, by whose word, and how it stands with each subject.

An operator's withdrawal ends by an operator's word. What the EHR's own Consent says begins and ends what it said itself, and no more.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select, update

from mainstem.database import Database
from mainstem.state import tables
from mainstem.state.moments import moment_of
from mainstem.state.standings import (
    CONSENT,
    Standing,
    closed_to,
    forget,
    of_subjects,
    portions,
    settle,
    stopped,
    tell_standing,
)
from mainstem.state.subjects import index_subjects
from mainstem.state.survivors import family
from schemas.subjects import SCOPES, Scope, SubjectEvent, SubjectEventType
from transforms.mapped import Mapped

OPERATOR, EHR = "operator", "Consent"
_REFUSED = ("deny", "withdrawn")


class Decision(NamedTuple):
    """What is decided for one scope, by one consent or one line of a list."""

    subject: bytes
    scope: Scope
    permit: bool
    at: datetime
    """Since when: of two, the later counts."""
    erase: bool = False


class Withdrawal(NamedTuple):
    """A withdrawal that stands."""

    subject: bytes
    scope: str
    erase: bool
    by: str
    since: datetime


class Done(NamedTuple):
    """What became of decisions."""

    changed: int
    """Decisions that were not known before."""
    records: int
    """Records forgotten."""


class Consents:
    """Of every site."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def prepare(self) -> None:
        """Before consents are saved: the others of each subject are looked for then."""
        index_subjects(self._database)

    def decide(self, site: str, decisions: Sequence[Decision], at: datetime, *, by: str = OPERATOR) -> Done:
        """Withdrawals and permits, all in one transaction, with all that follows from them; the same again changes nothing.

        Of whom consent is given again everything is read anew: what came meanwhile was not collected.
        """
        index_subjects(self._database)
        with self._database.write() as connection:
            changed = [each for each in decisions if _decide(connection, site, each, at, by)]
            records = settle(connection, site, {each.subject for each in decisions}, at)
        return Done(len(changed), records)

    def of(self, site: str, subjects: Collection[bytes] | None = None) -> list[Standing]:
        """How it stands with those, or with all, of whom something was told, the last changed first."""
        row = tables.standing.c
        with self._database.read() as connection:
            if subjects is not None:
                return list(of_subjects(connection, site, subjects).values())
            wanted = select(*(row[name] for name in Standing._fields)).where(row.site == site)
            return [Standing(*found) for found in connection.execute(wanted.order_by(row.changed.desc(), row.subject))]

    def withdrawals(self, site: str) -> list[Withdrawal]:
        """Those that stand, the oldest first."""
        row = tables.withdrawal.c
        wanted = select(*(row[name] for name in Withdrawal._fields)).where(row.site == site, row.ended.is_(None))
        with self._database.read() as connection:
            return [Withdrawal(*found) for found in connection.execute(wanted.order_by(row.since, row.id))]

    def stopped(self, site: str) -> frozenset[bytes]:
        """Subjects of whom nothing is collected."""
        with self._database.read() as connection:
            return frozenset(connection.scalars(select(tables.standing.c.subject).where(stopped(site))))

    def forget(self, site: str, subjects: Collection[bytes], at: datetime) -> int:
        """Forgets what is held of subjects, and tells nothing of them but that their records are withdrawn; returns how many records."""
        held = self.holding(site, subjects)
        if not held:
            return 0
        with self._database.write() as connection:
            return forget(connection, site, held, at)

    def holding(self, site: str, subjects: Collection[bytes]) -> set[bytes]:
        """Those of the subjects of whom a record stands."""
        row, found, left = tables.record.c, set[bytes](), sorted(subjects)
        stands = (row.site == site, row.content.is_not(None))
        with self._database.read() as connection:
            while some := [left.pop() for _ in range(min(500, len(left)))]:
                found.update(connection.scalars(select(row.subject).where(*stands, row.subject.in_(some)).distinct()))
        return found

    def unpurged(self, site: str) -> frozenset[bytes]:
        """Subjects to be forgotten of whom the landing may hold something."""
        row = tables.standing.c
        wanted = select(row.subject).where(row.site == site, row.erase, row.purged.is_(None))
        with self._database.read() as connection:
            return frozenset(connection.scalars(wanted))

    def purged(self, site: str, subjects: Collection[bytes], at: datetime) -> None:
        """The landing holds nothing of these any more."""
        row = tables.standing
        with self._database.write() as connection:
            for subject in subjects:
                connection.execute(
                    update(row).where(row.c.site == site, row.c.subject == subject, row.c.erase).values(purged=at)
                )

    def heeds(self, site: str, decision: Decision) -> bool:
        """Whether it stands as this decision wants it, or somebody decided later on the same."""
        row = tables.withdrawal.c
        wanted = select(row.since, row.ended, row.erase).where(
            row.site == site, row.subject == decision.subject, row.scope == decision.scope
        )
        with self._database.read() as connection:
            found = list(connection.execute(wanted))
        if any((each.ended or each.since) > decision.at for each in found):
            return True
        standing = [each for each in found if each.ended is None]
        if decision.permit:
            return not standing
        return any(each.erase or not decision.erase for each in standing)

    def family(self, site: str, subject: bytes) -> set[bytes]:
        """All who are the same person, the subject itself, too."""
        with self._database.read() as connection:
            return set(family(connection, site, [subject]))

    def tell_again(self, site: str, at: datetime) -> int:
        """How it stands with everybody waits to be told again, under the numbers it was told by; returns of how many."""
        known = self.of(site)
        with self._database.write() as connection:
            for each in sorted(known, key=lambda each: each.changed or at):
                tell_standing(connection, site, each, _last_word(each), each.changed or at)
        return len(known)

    def adopt(self, site: str, told: Iterable[SubjectEvent], at: datetime) -> Done:
        """What the network was told of subjects, into a state that came back from a backup and does not know it."""
        index_subjects(self._database)
        with self._database.write() as connection:
            news = [event for event in told if event.site == site and _adopt(connection, event)]
            records = settle(connection, site, [bytes.fromhex(event.subject[2:]) for event in news], at)
        return Done(len(news), records)


def heed(connection: Connection, site: str, records: Sequence[Mapped], at: datetime) -> None:
    """What the EHR's consents say, among records about to be saved, under the subjects that their sources name."""
    consents = [record for record in records if record.type == CONSENT]
    if not consents:
        return
    subjects = {record.subject for record in consents}
    withdrawn = _withdrawn(connection, site, subjects)
    latest = _latest([*_stored(connection, site, subjects), *consents], at)
    new = [
        each for each in latest if not each.permit or (each.subject, each.scope) in withdrawn
    ]  # the others end nothing
    if [each for each in new if _decide(connection, site, each, at, EHR)]:
        settle(connection, site, subjects, at)


def admitted(connection: Connection, site: str, records: Sequence[Mapped]) -> Sequence[Mapped]:
    """The records without those of subjects who withdrew, under the subjects that survive.

    What a consent itself says is kept, unless all is to be forgotten.
    """
    closed = closed_to(connection, site, (record.subject for record in records)) if records else {}
    if not closed:
        return records
    return [
        record
        for record in records
        if (standing := closed.get(record.subject)) is None or (record.type == CONSENT and not standing.erase)
    ]


def _decide(connection: Connection, site: str, decision: Decision, at: datetime, by: str) -> bool:
    """One decision; whether it changed anything."""
    row = tables.withdrawal
    this = (row.c.site == site, row.c.subject == decision.subject, row.c.scope == decision.scope, row.c.ended.is_(None))
    standing = connection.execute(select(row.c.erase, row.c.by).where(*this)).one_or_none()
    if decision.permit:
        if standing is None or (by == EHR and standing.by != EHR):
            return False
        connection.execute(update(row).where(*this).values(ended=at, ended_by=by))
        return True
    if by == EHR and _overruled(connection, site, decision):
        return False
    if standing is not None and (standing.erase or not decision.erase):
        return False
    if standing is not None:
        connection.execute(update(row).where(*this).values(erase=True, by=by))
        return True
    values = {"site": site, "subject": decision.subject, "scope": decision.scope, "erase": decision.erase}
    connection.execute(insert(row).values(**values, by=by, since=decision.at))
    return True


def _overruled(connection: Connection, site: str, decision: Decision) -> bool:
    """Whether an operator has ended this very refusal, or a later one."""
    row = tables.withdrawal.c
    ended = (row.site == site, row.subject == decision.subject, row.scope == decision.scope, row.ended_by == OPERATOR)
    return connection.execute(select(row.id).where(*ended, row.since >= decision.at).limit(1)).first() is not None


def _last_word(standing: Standing) -> SubjectEventType:
    if standing.superseded_by:
        return SubjectEventType.SUPERSEDED
    return SubjectEventType.WITHDRAWN if standing.withdrawn else SubjectEventType.GIVEN


def _latest(consents: Iterable[Mapped], at: datetime) -> Iterator[Decision]:
    """The last word for each subject and scope; of two at once, the refusal."""
    decided: dict[tuple[bytes, str], Decision] = {}
    for record in {record.id: record for record in consents}.values():
        for each in decisions_of(record, at):
            last = decided.get((each.subject, each.scope))
            if last is None or (each.at, not each.permit) > (last.at, not last.permit):
                decided[each.subject, each.scope] = each
    return iter(decided.values())


def decisions_of(record: Mapped, at: datetime) -> Iterator[Decision]:
    """What a consent record says of the scopes that bind a site; what does not hold yet, or no longer, is passed over."""
    said = json.loads(record.content)
    given = said.get("effective") or (record.updated and moment_of(record.updated).isoformat())
    when = datetime.fromisoformat(given) if given else at
    for each in said.get("decisions", ()):
        if each.get("scope") in SCOPES and _holds(each, at):
            yield Decision(record.subject, each["scope"], each.get("decision") not in _REFUSED, when)


def _holds(decision: dict[str, str], at: datetime) -> bool:
    """Whether a decision holds at a moment; a date without a time counts as a whole day, month or year."""
    start, end = decision.get("start"), decision.get("end")
    first, last = decision.get("start_date", ""), decision.get("end_date", "")
    today = at.date().isoformat()
    return (datetime.fromisoformat(start) <= at if start else first <= today[: len(first)]) and (
        datetime.fromisoformat(end) > at if end else not last or last >= today[: len(last)]
    )


def _withdrawn(connection: Connection, site: str, subjects: Iterable[bytes]) -> set[tuple[bytes, str]]:
    """Of which subjects a withdrawal stands, and for what."""
    row = tables.withdrawal.c
    of_site = select(row.subject, row.scope).where(row.site == site, row.ended.is_(None))
    return {
        (subject, scope)
        for some in portions(subjects)
        for subject, scope in connection.execute(of_site.where(row.subject.in_(some)))
    }


def _stored(connection: Connection, site: str, subjects: Iterable[bytes]) -> Iterator[Mapped]:
    """The consents of subjects that are known, as their sources named them."""
    row = tables.record.c
    known = select(row.id, row.subject, row.content, row.updated).where(
        func.coalesce(row.site, "") == site,  # by the site's index, all of it would be read
        row.type == CONSENT,
        row.content.is_not(None),
    )
    for some in portions(subjects):
        for id_, subject, content, updated in connection.execute(known.where(row.subject.in_(some))):
            yield Mapped(id_, CONSENT, subject, content, b"", updated)


def _adopt(connection: Connection, event: SubjectEvent) -> bool:
    """One subject's last event, if this state does not say the same: its withdrawals are made again, and told again after it."""
    subject = bytes.fromhex(event.subject[2:])
    known = of_subjects(connection, event.site, [subject]).get(subject)
    if known is not None and known.sequence >= event.sequence:
        return False
    for scope in SCOPES:
        withdrawn = scope in event.withdrawn and not (scope == "research" and "qi" in event.withdrawn)
        decision = Decision(subject, scope, not withdrawn, event.at, event.erase and withdrawn)
        _decide(connection, event.site, decision, event.at, OPERATOR)
    row = tables.standing
    if known is None:
        nothing = {"qi": False, "research": False, "erase": False, "changed": event.at}
        connection.execute(insert(row).values(site=event.site, subject=subject, sequence=event.sequence, **nothing))
    else:
        this = (row.c.site == event.site, row.c.subject == subject)
        connection.execute(update(row).where(*this).values(sequence=event.sequence))
    return True
