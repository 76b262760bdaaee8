"""Stubs: what a server hands out of a resource it has deleted, or does not show."""

import msgspec

from transforms.mapped import SAYS_NOTHING
from transforms.reading.memories import Note

_GONE = Note(withdrawn=True)
_BARE = Note(flags=(SAYS_NOTHING,))
_NAMES_IT = frozenset({"resourceType", "id", "implicitRules", "language", "text"})
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def stub(line: bytes) -> Note | None:
    """What is noted of a resource that says nothing: one with a version is gone; a bare name says that it is there, and no more."""
    names = _decode(line).keys() - {"meta"}
    if not names <= _NAMES_IT:
        return None
    return _GONE if b'"meta"' in line else _BARE
