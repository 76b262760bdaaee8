"""Stubs: what a server hands out of a resource it has deleted, or does not show."""

import msgspec

from transforms.mapped import SAYS_NOTHING
from transforms.reading.memories import Note

_GONE = Note(withdrawn=True)
_BARE = Note(flags=(SAYS_NOTHING,))
_NAMES_IT = frozenset({"resourceType", "id", "implicitRules", "language", "text"})
_IN_USE = _NAMES_IT | {"active", "link"}
_WHO = frozenset({"identifier", "name", "telecom", "contact", "photo", "generalPractitioner", "managingOrganization"})
"""What of a Patient nobody here reads: with nothing else, it is an answer that was asked for these fields alone."""
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def stub(line: bytes) -> Note | None:
    """What is noted of a resource that says nothing: one with a version is gone; a bare name says that it is there, and no more.

    So does one that says beside it only whether it is in use, and what is linked to it (what was merged away is handed out
    so), or what somebody is called and by which numbers known.
    """
    names = _decode(line).keys() - {"meta"}
    if not names <= _NAMES_IT:
        return _BARE if names <= _IN_USE | _WHO else None
    return _GONE if b'"meta"' in line else _BARE
