"""JSON from outside, decoded: whatever the bytes are, the outcome is a value or `Unreadable`.

A decoder raises four kinds of errors: malformed text, another form than asked for, text that is not UTF-8, and what is
nested deeper than the interpreter's stack. `decoded` knows them all.
"""

import re
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}
"""By what is asked for."""
ABSENT = msgspec.Raw(b"")
"""A field that was not said."""
DEEPEST = 200
"""Levels of brackets; FHIR's own structures need some thirty."""
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)
_OPENING = b"[{"
_LIST, _ELEMENT = 2, 3
"""Brackets that are open inside a list of the outermost object, and inside an object of that list."""


class Unreadable(Exception):
    """The bytes are not what was asked for. Holds none of them."""

    def __init__(self, *, is_json: bool) -> None:
        super().__init__()
        self.is_json = is_json
        """Whether they are JSON, of another form or nested too deeply."""


class TooDeep(Unreadable):
    """Brackets in brackets, more than anything means."""

    def __init__(self) -> None:
        super().__init__(is_json=True)


def decoded(content: bytes | msgspec.Raw, form: msgspec.json.Decoder[T]) -> T:
    """The value. Raises Unreadable, and nothing else."""
    try:
        return form.decode(content)
    except RecursionError:
        raise TooDeep from None
    except msgspec.ValidationError:
        raise Unreadable(is_json=True) from None
    except ValueError:  # DecodeError and UnicodeDecodeError are both
        raise Unreadable(is_json=False) from None


def said(raw: msgspec.Raw, form: type[T], otherwise: T) -> T:
    """A field's value where it is of that type, else `otherwise`: a wrong word costs itself, not the answer it stands in."""
    try:
        return decoded(raw, _decoder(form))
    except Unreadable:
        return otherwise


def each(raw: msgspec.Raw, form: type[T]) -> list[T]:
    """The elements of a list that are of that type; none where it is no list."""
    found = []
    for element in said(raw, list[msgspec.Raw], []):
        try:
            found.append(decoded(element, _decoder(form)))
        except Unreadable:
            continue
    return found


def without_deep(content: bytes) -> tuple[bytes, list[bytes]]:
    """An object whose lists hold no element nested too deeply: `{}` stands in each one's place; and those elements.

    Walks the brackets without a stack of its own, so depth costs nothing.
    """
    kept, cut, upto = bytearray(), [], 0
    depth = deepest = begun = 0
    for token in _TOKEN.finditer(content):
        mark = content[token.start()]
        if mark in _OPENING:
            depth += 1
            if depth == _ELEMENT:
                begun, deepest = token.start(), depth
            deepest = max(deepest, depth)
        elif mark != ord('"'):
            depth -= 1
            if depth == _LIST and deepest > DEEPEST:
                kept += content[upto:begun] + b"{}"
                cut.append(content[begun : token.end()])
                upto, deepest = token.end(), 0
    return bytes(kept + content[upto:]), cut


def _decoder(form: type[T]) -> msgspec.json.Decoder[T]:
    if (known := _DECODERS.get(form)) is None:
        known = _DECODERS[form] = msgspec.json.Decoder(form)
    return known
