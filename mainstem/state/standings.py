"""How it stands with subjects: what their withdrawals and aliases come to, told to the network where it changes, in the transaction
that changes it. Who is the same person stands the same: of two who were merged, one withdrawal counts for both.

Whoever is to be forgotten is: contents and provenance of all records go, each record's withdrawal waits to be published, and what
else the state keeps of the subject's resources goes with them.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, insert, or_, select, text, update

from mainstem.state import tables, watermarks
from mainstem.state.audit import Deed, note
from mainstem.state.digests import EMPTY_DIGEST
from mainstem.state.moments import microseconds
from mainstem.state.numbers import add_to_tally, hold_number, keep_number
from mainstem.state.outbox import tell
from mainstem.state.survivors import family
from schemas.subjects import Scope, SubjectEvent, SubjectEventType
from transforms.mapped import NO_LINE, REF_BYTES

_AT_ONCE = 500
CONSENT, PERSON = "consent", "person"


class Standing(NamedTuple):
    """How it stands with a subject."""

    subject: bytes
    qi: bool
    """Consent to quality improvement is withdrawn: nothing is collected."""
    research: bool
    erase: bool
    superseded_by: bytes | None
    sequence: int = 0
    """Of the event by which it was told last; 0: there was never anything to tell."""
    changed: datetime | None = None
    purged: datetime | None = None

    @property
    def withdrawn(self) -> list[Scope]:
        """For what consent is withdrawn: without quality improvement there is no research."""
        if self.qi:
            return ["qi", "research"]
        return ["research"] if self.research else []

    @property
    def said(self) -> tuple[bool, bool, bool, bytes | None]:
        """All that consumers are told."""
        return self.qi, self.research, self.erase, self.superseded_by


def of_subjects(connection: Connection, site: str, subjects: Iterable[bytes]) -> dict[bytes, Standing]:
    """Those of the subjects of whom something was told."""
    row, found = tables.standing.c, dict[bytes, Standing]()
    columns = [row[name] for name in Standing._fields]
    for some in portions(subjects):
        wanted = select(*columns).where(row.site == site, row.subject.in_(some))
        found.update((each[0], Standing(*each)) for each in connection.execute(wanted))
    return found


def settle(connection: Connection, site: str, subjects: Iterable[bytes], at: datetime) -> int:
    """Tells how it stands with these and all who are the same persons, where that became another; forgets whom it says to
    forget. Returns how many records are forgotten."""
    survivors = family(connection, site, subjects)
    known = of_subjects(connection, site, survivors)
    due = _due(connection, site, survivors)
    for subject in sorted(survivors, key=lambda each: (each == survivors[each], each)):
        before, now = known.get(subject, Standing(subject, False, False, False, None)), due[subject]
        if before.said != now.said:
            _tell(connection, site, before, now, at)
        if before.qi and not now.qi:  # what came meanwhile was not collected
            watermarks.forget_all(connection, site)
    return forget(connection, site, [subject for subject, each in due.items() if each.erase], at)


def _due(connection: Connection, site: str, survivors: Mapping[bytes, bytes]) -> dict[bytes, Standing]:
    """How it stands with each by the withdrawals of all who are the same person."""
    row, persons = tables.withdrawal.c, dict[bytes, list[tuple[str, bool]]]()
    for some in portions(survivors):
        wanted = select(row.subject, row.scope, row.erase).where(
            row.site == site, row.ended.is_(None), row.subject.in_(some)
        )
        for subject, scope, erase in connection.execute(wanted):
            persons.setdefault(survivors[subject], []).append((scope, erase))
    found = {}
    for subject, surviving in survivors.items():
        withdrawn = persons.get(surviving, [])
        scopes = {scope for scope, _ in withdrawn}
        found[subject] = Standing(
            subject,
            qi="qi" in scopes,
            research=bool(scopes),
            erase=any(erase for scope, erase in withdrawn if scope == "qi"),
            superseded_by=None if surviving == subject else surviving,
        )
    return found


def _tell(connection: Connection, site: str, before: Standing, now: Standing, at: datetime) -> None:
    sequence = before.sequence + 1
    values = {**now._asdict(), "site": site, "sequence": sequence, "changed": at, "purged": None}
    if before.sequence:
        this = (tables.standing.c.site == site, tables.standing.c.subject == now.subject)
        connection.execute(update(tables.standing).where(*this).values(values))
    else:
        connection.execute(insert(tables.standing).values(values))
    event = _what(before, now)
    what = f"{event}: withdrawn for {', '.join(now.withdrawn) or 'nothing'}{', to be forgotten' if now.erase else ''}"
    note(connection, site, Deed.CONSENT, what, at, subjects=[now.subject])
    tell_standing(connection, site, now._replace(sequence=sequence), event, at)


def tell_standing(connection: Connection, site: str, now: Standing, event: SubjectEventType, at: datetime) -> None:
    """Puts how it stands among the events to be sent."""
    subject = f"s-{now.subject.hex()}"
    said = SubjectEvent(
        event=event,
        subject=subject,
        site=site,
        sequence=now.sequence,
        at=at,
        withdrawn=now.withdrawn,
        erase=now.erase,
        superseded_by=now.superseded_by and f"s-{now.superseded_by.hex()}",
    )
    value = said.model_dump_json(exclude_none=True).encode()
    number = hold_number(connection, site) + 1  # a state from before this is told from the one that publishes it
    keep_number(connection, site, number)
    tell(connection, site, "subject", f"{subject}/{now.sequence}", event, at, value, change=number)


def _what(before: Standing, now: Standing) -> SubjectEventType:
    if before.superseded_by != now.superseded_by:
        return SubjectEventType.SUPERSEDED if now.superseded_by else SubjectEventType.SEPARATED
    more = (now.qi, now.research, now.erase) > (before.qi, before.research, before.erase)
    return SubjectEventType.WITHDRAWN if more else SubjectEventType.GIVEN


_FORGET = text(
    "UPDATE record SET content = NULL, provenance = :none, digest = :digest, line_digest = :line, number = :number, changed = :at,"
    " sequence = sequence + 1 WHERE id = :id"
)


def forget(connection: Connection, site: str, subjects: Collection[bytes], at: datetime) -> int:
    """Nothing of these subjects is kept but that there was something, and its withdrawal waits. Returns how many records went."""
    if not subjects:
        return 0
    number, row = hold_number(connection, site), tables.record.c
    refs, people, gone, types = set[bytes](), set[bytes](), list[bytes](), Counter[str]()
    for some in portions(subjects):
        wanted = select(row.id, row.type, row.content.is_not(None)).where(row.site == site, row.subject.in_(some))
        for id_, kind, live in connection.execute(wanted):
            refs.add(id_[:REF_BYTES])
            if kind == PERSON:
                people.add(id_[:REF_BYTES])
            if live:
                gone.append(id_)
                types[kind] -= 1
        for table in (tables.finding, tables.dependent):
            connection.execute(delete(table).where(table.c.site == site, table.c.subject.in_(some)))
    _forget_resources(connection, site, refs, people)
    when = microseconds(at)
    changes = [
        {"id": id_, "none": b"", "digest": EMPTY_DIGEST, "line": NO_LINE, "number": number + place, "at": when}
        for place, id_ in enumerate(gone, 1)
    ]
    if changes:
        note(connection, site, Deed.ERASE, f"{len(gone)} records forgotten", at, subjects=subjects)
        connection.execute(_FORGET, changes)
        add_to_tally(connection, site, types)
        keep_number(connection, site, number + len(changes))
    return len(gone)


def _forget_resources(connection: Connection, site: str, refs: Iterable[bytes], people: Iterable[bytes]) -> None:
    """What else is kept of source resources."""
    for some in portions(refs):
        lent, waiting = tables.lent, tables.quarantine
        connection.execute(delete(lent).where(lent.c.site == site, or_(lent.c.to.in_(some), lent.c.by.in_(some))))
        connection.execute(delete(waiting).where(waiting.c.site == site, waiting.c.ref.in_(some)))
    member = tables.cohort_member
    for some in portions(people):
        connection.execute(delete(member).where(member.c.site == site, member.c.ref.in_(some)))


def given_since(connection: Connection, site: str, moment: datetime) -> bool:
    """Whether something is to be collected again of somebody, who was left out until after that moment."""
    row = tables.standing.c
    given = (row.site == site, ~row.qi, row.sequence > 1, row.changed >= moment)
    return connection.execute(select(row.site).where(*given).limit(1)).first() is not None


def stopped(site: str) -> ColumnElement[bool]:
    """Subjects of whom nothing is collected."""
    return (tables.standing.c.site == site) & tables.standing.c.qi


def closed_to(connection: Connection, site: str, subjects: Iterable[bytes]) -> dict[bytes, Standing]:
    """Those of the subjects of whom nothing is taken; one question where there is nobody."""
    if connection.execute(select(tables.standing.c.site).where(stopped(site)).limit(1)).first() is None:
        return {}
    found = of_subjects(connection, site, set(subjects))
    return {subject: each for subject, each in found.items() if each.qi}


def portions(items: Iterable[bytes]) -> Iterator[Sequence[bytes]]:
    """As many as one statement asks for."""
    left = iter(items)
    while some := list(islice(left, _AT_ONCE)):
        yield some
