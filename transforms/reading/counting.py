"""How many records lines gave that are known, and so need no reading."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import astuple

from transforms.rules.declaring import Kept, Lender, Parts, Resource

_EMPTY = frozenset({b"null", b"{}"})
Count = Callable[[Sequence[bytes]], int]


def count_of(declared: Resource | Kept | Lender | None) -> Count:
    """Of lines of one type: a record each; of a type that gives none, or several of a line, what it gives."""
    if not isinstance(declared, Resource):
        return lambda _lines: 0
    if declared.members is not None:
        named = b'"%b"' % declared.members.known_by.encode()
        return lambda lines: sum(line.count(named) for line in lines)
    return len if declared.parts is None else _count_of_parts(declared.parts)


def _count_of_parts(parts: Parts) -> Count:
    """The whole, and each of its parts."""
    named, spread = b'"%b"' % parts.of.encode(), parts.spread
    listed: Any = Raw if spread else list[Raw] | None
    decode = msgspec.json.Decoder(
        msgspec.defstruct("Holder", [("parts", listed, None)], rename={"parts": parts.of})
    ).decode

    def parts_of(line: bytes) -> int:
        try:
            (found,) = astuple(decode(line))
        except msgspec.ValidationError:
            return 1  # one object where a list belongs
        if spread is not None:
            return len(spread(bytes(found), None, None)) if found is not None else 0
        return sum(bytes(part) not in _EMPTY for part in found or ())

    return lambda lines: len(lines) + sum([parts_of(line) for line in lines if named in line])
