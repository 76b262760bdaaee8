"""A record that goes over to another subject: its old key, and who is touched by it."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, text


class Move(NamedTuple):
    """A stored record whose new state has been written but for its subject."""

    id: bytes
    old: bytes
    """The subject it had."""
    new: bytes
    own: bytes | None
    """What the source says where `new` is an alias."""
    number: int
    """The change's."""


# Always, also while the record waits: the older key may have been sent before a crash. The change's own sequence becomes the
# tombstone's, the record's is the next; under its new key nothing is live.
_OLD_KEY = text(
    "INSERT INTO old_key (site, record, sequence, subject, type, changed)"
    " SELECT site, id, sequence, subject, type, changed FROM record WHERE id = :id"
)
_MOVE = text(
    "UPDATE record SET subject = :new, own_subject = :own, published_sequence = sequence, live = false,"
    " sequence = sequence + 1 WHERE id = :id"
)
_TOUCHED = text("INSERT INTO touched (site, number, subject) VALUES (:site, :number, :old)")
_OWN = text("UPDATE record SET own_subject = :own WHERE id = :id")


def move(connection: Connection, site: str, moves: Sequence[Move]) -> None:
    """Gives the records their new subjects and keeps the keys they had until those are told."""
    rows = [{**each._asdict(), "site": site} for each in moves]
    if rows:
        for statement in (_OLD_KEY, _MOVE, _TOUCHED):
            connection.execute(statement, rows)


def note_own(connection: Connection, own: Sequence[tuple[bytes, bytes | None]]) -> None:
    """What the source says of some records whose subject is an alias (by record id); None where it is the subject itself."""
    if own:
        connection.execute(_OWN, [{"id": id_, "own": subject} for id_, subject in own])
