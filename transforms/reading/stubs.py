"""Stubs: what a server hands out of a resource it has deleted."""

import msgspec

from transforms.reading.memories import Note

STUB = Note(withdrawn=True)
_SAYS_NOTHING = frozenset({"resourceType", "id", "meta", "implicitRules", "language", "text"})
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def is_stub(line: bytes) -> bool:
    """Whether a resource has a version and says nothing: not a person without birth date and sex, but one that is gone."""
    names = _decode(line).keys()
    return "meta" in names and names <= _SAYS_NOTHING
