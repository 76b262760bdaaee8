"""Subjects that are another: merged patients, a new pseudonym key, a change of EHR. One mechanism for all.

Records of an alias go over to the surviving subject, those stored and those that come. What the source said stays with the
record, so the end of an alias moves them back. The alias's own `person` is withdrawn meanwhile: the survivor has one.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, exists, func, insert, select, text, update

from mainstem.database import Database
from mainstem.state import figures, tables, watermarks
from mainstem.state.digests import EMPTY_DIGEST, digest_of
from mainstem.state.keys import Move, move
from mainstem.state.moments import microseconds
from mainstem.state.numbers import add_to_tally, hold_number, keep_number
from mainstem.state.standings import settle
from mainstem.state.subjects import index_subjects
from mainstem.state.survivors import resolve, step
from schemas.errors import OperatorError
from schemas.loads import TypeCounts
from schemas.outcomes import fhir_types_of
from transforms.mapped import NO_LINE, REF_BYTES, Mapped

PERSON, PATIENT = "person", "Patient"
REPLACED = "Patient.link"
"""Why an alias stands that the EHR's own word made, and its own word ends."""
TAKEN_OVER = "taken over"
"""Why one stands that the network was told, in a state from a backup: whose word it was is not told. The EHR's, where it says so again."""


class Alias(NamedTuple):
    """One subject that is another."""

    old: bytes
    surviving: bytes
    why: str
    since: datetime


class Merges(NamedTuple):
    """What a site's patients say of who they are."""

    begin: Mapping[bytes, bytes]
    """Subjects that are another from now on, by their survivors."""
    end: Collection[bytes]
    """Aliases of before that hold no longer."""
    unclear: int
    """Patients whose word cannot be followed."""
    confirmed: Collection[bytes] = ()
    """Aliases that were taken over, and are the EHR's own word."""


class Followed(NamedTuple):
    """What became of it, as a load's figures name it."""

    merged: int
    unmerged: int
    merges_unclear: int


class Aliases:
    """Of every site."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, site: str) -> list[Alias]:
        """A site's, the oldest first."""
        row = tables.alias.c
        wanted = select(row.old, row.surviving, row.why, row.since).where(row.site == site, row.ended.is_(None))
        with self._database.read() as connection:
            return [Alias(*found) for found in connection.execute(wanted.order_by(row.id))]

    def add(self, site: str, old: bytes, surviving: bytes, why: str, at: datetime) -> int:
        """From now on the old subject is the surviving one. Returns how many records went over. The same again changes nothing."""
        index_subjects(self._database)
        with self._database.write() as connection:
            return _begin(connection, site, old, surviving, why, at)

    def end(self, site: str, old: bytes, at: datetime) -> int:
        """The old subject is one of its own again. Returns how many records went back.

        Its `person` comes with the next load, which reads the people from the beginning.
        """
        index_subjects(self._database)
        with self._database.write() as connection:
            moved = _end(connection, site, old, at)
            for name in fhir_types_of(PERSON):
                watermarks.forget(connection, site, name)
            return moved

    def follow(self, load: str, merges: Merges, at: datetime) -> Followed:
        """Begins and ends aliases by what the EHR says, and counts them with the load's figures, in one transaction.

        Of one that ends the patient came in this load: it is mapped after this, so nothing is read anew.
        """
        site, renewed = load.partition("/")[0], merges.begin.keys() & set(merges.end)
        done = Followed(len(merges.begin), len(merges.end) - len(renewed), merges.unclear)
        if not (any(done) or merges.confirmed):
            return done
        index_subjects(self._database)
        with self._database.write() as connection:
            for old in merges.end:
                _end(connection, site, old, at)
            for old, surviving in merges.begin.items():
                _begin(connection, site, old, surviving, REPLACED, at)
            row = tables.alias
            for old in merges.confirmed:
                stands = (row.c.site == site, row.c.old == old, row.c.ended.is_(None))
                connection.execute(update(row).where(*stands).values(why=REPLACED))
            figures.keep(connection, load, f"{PATIENT}/merged", TypeCounts(**done._asdict()))
        return done

    def waiting(self, site: str) -> int:
        """Aliases by the EHR's word whose survivor has not come."""
        row, last, person = tables.alias.c, tables.alias.alias("last").c, tables.record.c
        further = exists().where(last.site == site, last.old == row.surviving, last.ended.is_(None))
        come = exists().where(
            person.site == site,
            person.subject == row.surviving,
            person.type == PERSON,
            person.content.is_not(None),
        )
        stand = (row.site == site, row.why == REPLACED, row.ended.is_(None))
        with self._database.read() as connection:
            return connection.execute(select(func.count()).where(*stand, ~further, ~come)).scalar_one()


def take_over(connection: Connection, site: str, survivors: Mapping[bytes, bytes | None], at: datetime) -> None:
    """Each subject is what the network was told that it is; None: one of its own. Those that end, end first: they may have turned about."""
    now = resolve(connection, site, list(survivors))
    others = {old: surviving for old, surviving in survivors.items() if now[old] != (surviving or old)}
    for old in others:
        if now[old] != old:
            _end(connection, site, old, at)
    for old, surviving in others.items():
        if surviving is not None and resolve(connection, site, [old])[old] != surviving:
            _begin(connection, site, old, surviving, TAKEN_OVER, at)


def _begin(connection: Connection, site: str, old: bytes, surviving: bytes, why: str, at: datetime) -> int:
    number = hold_number(connection, site)
    if step(connection, site, [old]).get(old) == surviving:
        return 0
    if old in (surviving, resolve(connection, site, [surviving])[surviving]):
        raise OperatorError("the surviving subject is an alias of the old one", "End that alias first.")
    if step(connection, site, [old]):
        raise OperatorError("the subject is an alias of another already", "End that alias first.")
    row = tables.alias
    connection.execute(insert(row).values(site=site, old=old, surviving=surviving, why=why, since=at))
    final = resolve(connection, site, [surviving])[surviving]
    moved = _go_over(connection, site, _stored(connection, site, old), {old: final}, number, at)
    settle(connection, site, [old], at)
    return moved


def _end(connection: Connection, site: str, old: bytes, at: datetime) -> int:
    number = hold_number(connection, site)
    survivor = resolve(connection, site, [old])[old]
    row = tables.alias
    ended = update(row).where(row.c.site == site, row.c.old == old, row.c.ended.is_(None)).values(ended=at)
    if not connection.execute(ended).rowcount:
        raise OperatorError("the subject is no alias", "`mainstem subjects list` shows those that are.")
    records = [each for each in _stored(connection, site, survivor) if each.own is not None]
    now = resolve(connection, site, list({each.own for each in records if each.own is not None}))
    back = [each for each in records if each.own is not None and now[each.own] != survivor]
    moved = _go_over(connection, site, back, now, number, at)
    settle(connection, site, [old, survivor], at)
    return moved


class Renamed(NamedTuple):
    """A batch's records under the subjects that survive."""

    records: Sequence[Mapped]
    withdrawn: list[tuple[bytes, int | None]]
    """The refs of people who are aliases."""
    own: dict[bytes, bytes | None]
    """What the source said of the subjects of some records, by id."""
    noted: list[tuple[bytes, bytes | None]]
    """The same, to be written; None where a record's subject may have been an alias before."""


def apply(connection: Connection, site: str, records: Sequence[Mapped]) -> Renamed:
    """Aliases applied to a batch; one question where the site has none."""
    row = tables.alias.c
    if not records or connection.execute(select(row.id).where(row.site == site).limit(1)).first() is None:
        return Renamed(records, [], {}, [])
    final = resolve(connection, site, list({record.subject for record in records}))
    kept: list[Mapped] = []
    withdrawn: list[tuple[bytes, int | None]] = []
    own: dict[bytes, bytes | None] = {}
    for record in records:
        if (subject := final[record.subject]) == record.subject:
            kept.append(record)
            own[record.id] = None
        elif record.type == PERSON:
            withdrawn.append((record.id[:REF_BYTES], record.updated))
        else:
            content = renamed(record.content, record.subject, subject)
            kept.append(record._replace(subject=subject, content=content))
            own[record.id] = record.subject
    return Renamed(kept, withdrawn, own, list(own.items()))


def renamed(content: bytes, old: bytes, new: bytes) -> bytes:
    """A record's JSON with another subject."""
    return content.replace(b'"subject":"s-%b"' % old.hex().encode(), b'"subject":"s-%b"' % new.hex().encode(), 1)


class _Stored(NamedTuple):
    """A stored record of a subject."""

    id: bytes
    type: str
    subject: bytes
    own: bytes | None
    content: bytes


def _stored(connection: Connection, site: str, subject: bytes) -> Iterator[_Stored]:
    row = tables.record.c
    wanted = select(row.id, row.type, row.subject, row.own_subject, row.content).where(
        row.site == site, row.subject == subject, row.content.is_not(None)
    )
    return iter([_Stored(*found) for found in connection.execute(wanted)])


_CHANGE = text(
    "UPDATE record SET content = :content, digest = :digest, number = :number, changed = :at, sequence = sequence + 1"
    " WHERE id = :id"
)
_WITHDRAW = text(
    "UPDATE record SET content = NULL, digest = :digest, line_digest = :line, number = :number, changed = :at,"
    " sequence = sequence + 1 WHERE id = :id"
)


def _go_over(
    connection: Connection,
    site: str,
    records: "Iterator[_Stored] | list[_Stored]",
    final: dict[bytes, bytes],
    number: int,
    at: datetime,
) -> int:
    """Moves records to the survivor of what their source says; a person does not go, it is withdrawn. Returns how many."""
    changes, moves, people = [], [], []
    when = microseconds(at)
    for record in records:
        number += 1
        own = record.subject if record.own is None else record.own
        new = final[record.subject if record.own is None or record.own not in final else record.own]
        if record.type == PERSON:
            people.append({"id": record.id, "digest": EMPTY_DIGEST, "line": NO_LINE, "number": number, "at": when})
            continue
        content = renamed(record.content, record.subject, new)
        changes.append(
            {"id": record.id, "content": content, "digest": digest_of(content), "number": number, "at": when}
        )
        moves.append(Move(record.id, record.subject, new, None if own == new else own, number))
    if changes:
        connection.execute(_CHANGE, changes)
    if people:
        connection.execute(_WITHDRAW, people)
        add_to_tally(connection, site, {PERSON: -len(people)})
    move(connection, site, moves)
    if changes or people:
        keep_number(connection, site, number)
    return len(changes) + len(people)
