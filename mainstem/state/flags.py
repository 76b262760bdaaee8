"""Flags that checks gave to records, as they join those of mapping in what is published."""

from collections.abc import Collection, Mapping

from msgspec.json import encode
from sqlalchemy import Connection, select

from mainstem.outbox import Change
from mainstem.state import tables

_AT_ONCE = 500
_FLAGS = b',"flags":["'
Flags = tuple[str, ...]


def flags_of(connection: Connection, site: str, records: Collection[bytes]) -> dict[bytes, Flags]:
    """What was found of some records; one question where nothing was found of any."""
    row = tables.finding.c
    if not records or connection.execute(select(row.record).where(row.site == site).limit(1)).first() is None:
        return {}
    found, ids = dict[bytes, Flags](), list(records)
    for start in range(0, len(ids), _AT_ONCE):
        wanted = select(row.record, row.flags).where(row.site == site, row.record.in_(ids[start : start + _AT_ONCE]))
        found |= {record: tuple(flags) for record, flags in connection.execute(wanted)}
    return found


def flagged(change: Change, found: Mapping[bytes, Flags]) -> Change:
    """A change with what was found of its record."""
    flags = found.get(change.id)
    if flags is None or change.content is None:
        return change
    return change._replace(provenance=with_flags(change.provenance, flags))


def with_flags(provenance: bytes, flags: Flags) -> bytes:
    """A provenance that holds these flags too."""
    before, own, rest = provenance.partition(_FLAGS)
    known = rest.partition(b'"]')[0].decode().split('","') if own else []
    return b'%b,"flags":%b' % (before, encode(sorted({*known, *flags})))
