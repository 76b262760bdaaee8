"""The hot path: a batch of records against the stored state, by few statements over all rows at once.

What is known is asked first, with the batch's ids, digests and times as three strings of bytes: 40 bytes a record go out and only the
records that differ come back, so a batch without changes writes nothing. (`insert … on conflict` would send every content and lock every
row, changed or not: half as fast.) New records then go in by binary COPY straight into the table, or `executemany` on SQLite; changed
ones by one update. The caller holds the site's row in `site_state`, so nobody changes the answer in between.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from transforms.mapped import ID_BYTES, REF_BYTES, Mapped

FIRST_PART, LAST_PART = b"\0" * (ID_BYTES - REF_BYTES), b"\xff" * (ID_BYTES - REF_BYTES)


Digested = tuple[Mapped, bytes]
"""A record and the BLAKE2b-128 of its content."""


class Difference(NamedTuple):
    """What is stored of a batch's record, where that is not the same already."""

    place: int
    """Place in the batch."""
    site: str | None
    """The site that owns the stored record; None where there is none."""
    same: bool
    """The content is the same; then the source's time or line is another."""
    updated: int | None
    withdrawn: bool
    subject: bytes | None


class LiveRecord(NamedTuple):
    """A stored record, not withdrawn."""

    id: bytes
    type: str
    updated: int | None


class Changed(NamedTuple):
    """The next state of a stored record."""

    id: bytes
    digest: bytes
    line_digest: bytes
    content: bytes | None
    provenance: bytes | None
    """None: as it was."""
    updated: int | None
    number: int


class Batches(Protocol):
    """How one kind of database does it; `cursor` is the driver's own, inside the caller's transaction."""

    def prepare(self, cursor: Any) -> None:
        """Once a transaction."""

    def differences(
        self, cursor: Any, site: str, records: Sequence[Mapped], digests: Sequence[bytes]
    ) -> list[Difference]:
        """The records that are not stored with this content, from this line, and with an equal or newer time."""

    def any_known(self, cursor: Any, records: Sequence[Mapped]) -> bool:
        """Whether any of the records is stored: in a first load none is, and asking that costs less than every row's answer."""

    def unrecognised(self, cursor: Any, site: str, ids: Sequence[bytes], line_digests: Sequence[bytes]) -> list[int]:
        """The places of the records that are not stored from these lines; alone in its transaction it prepares itself."""

    def insert(self, cursor: Any, site: str, load: str, at: int, records: Sequence[Digested], number: int) -> None:
        """Records not known before; they get the numbers after `number`."""

    def change(self, cursor: Any, load: str, at: int, changes: Sequence[Changed]) -> None:
        """New states of stored records."""

    def touch(self, cursor: Any, records: Sequence[Mapped]) -> None:
        """Newer source times, or other lines, of records whose content is the same."""

    def parts(self, cursor: Any, site: str, refs: Sequence[bytes]) -> Iterator[LiveRecord]:
        """The stored records of some source resources that are not withdrawn, as they are asked for: the cursor is theirs until then."""

    def provenances(self, cursor: Any, ids: Sequence[bytes]) -> dict[bytes, bytes]:
        """Where some stored records came from, by id."""

    def pending(self, cursor: Any, site: str, after: int, limit: int) -> list[Any]:
        """Rows of `PENDING_COLUMNS` in order of number."""

    def mark(self, cursor: Any, site: str, first: int, last: int) -> int:
        """The changes with these numbers, but for those refused, are published; a record changed since has another number and stays."""


PENDING_COLUMNS = (
    "number, id, type, subject, digest, content, provenance, load, sequence, published_sequence, live, changed"
)


def known(records: Sequence[Mapped]) -> tuple[bytes, bytes, bytes]:
    """Ids, times and line digests of a batch, each joined; an unknown time is older than any."""
    times = [0 if record.updated is None or record.updated < 0 else record.updated for record in records]
    return (
        b"".join([record.id for record in records]),
        struct.pack(f">{len(times)}q", *times),
        b"".join([record.line_digest for record in records]),
    )


def joined(refs: Sequence[bytes], part: bytes) -> bytes:
    """Each ref's id of a part."""
    return b"".join([ref + part for ref in refs])
