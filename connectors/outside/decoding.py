"""JSON from outside, decoded: whatever the bytes are, the outcome is a value or `Unreadable`.

A decoder raises four kinds of errors: for malformed text, for another form than asked for, for text that is not UTF-8, and
for what is nested deeper than the interpreter's stack. `decoded` knows them all.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Protocol, TypeVar

import msgspec

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

ABSENT = msgspec.Raw(b"")
"""A field that was not said."""
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}
"""By what is asked for."""
_ANY_VALUE = msgspec.json.Decoder(msgspec.Raw)
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.?+[^"\\]*+)*+"?+|[\[\]{}]', re.DOTALL)
"""Strings, and brackets outside of them. A string that is never closed goes on to the end: else each quotation mark in it
would be tried anew."""
_BETWEEN = re.compile(rb"(?:[\s,:]|true|false|null|-?(?:NaN|Infinity)|[-+0-9.eE])*+")
"""What stands between them where quotation marks come in pairs; two numbers JSON does not know, but some servers."""
MENDED_BYTES = 32 << 20
"""Longest text whose brackets are counted: seconds of work, for what is a page of resources as a rule far below it."""
_COUNT = re.compile(r"([0-9]{1,15})(\.0+)?")
_LIST, _ELEMENT = 2, 3
"""Brackets that are open inside a list of the outermost object, and inside an object of that list."""


class Form(Protocol[T_co]):
    """What JSON is read into; msgspec's decoders are such."""

    def decode(self, content: bytes | msgspec.Raw, /) -> T_co:
        """The value; raises what a decoder raises, or Unreadable."""


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


def decoded(content: bytes | msgspec.Raw, form: Form[T]) -> T:
    """The value. Raises Unreadable, and nothing else."""
    try:
        return form.decode(content)
    except RecursionError:
        raise TooDeep from None
    except (msgspec.ValidationError, UnicodeDecodeError):
        raise Unreadable(is_json=True) from None
    except msgspec.DecodeError:
        raise Unreadable(is_json=False) from None


def said(raw: msgspec.Raw, form: type[T], otherwise: T) -> T:
    """A field's value where it is of that type, else `otherwise`: a wrong word costs itself, not the answer it stands in."""
    try:
        return decoded(raw, _decoder(form))
    except Unreadable:
        return otherwise


def elements(raw: msgspec.Raw, form: type[T]) -> tuple[list[T], int]:
    """The elements of a list that are of that type, and how many are not; what is no list is one that is not."""
    if bytes(raw) in (b"", b"null"):
        return [], 0
    given = said(raw, list[msgspec.Raw], [raw])
    found = []
    for element in given:
        try:
            found.append(decoded(element, _decoder(form)))
        except Unreadable:
            continue
    return found, len(given) - len(found)


def each(raw: msgspec.Raw, form: type[T]) -> list[T]:
    """The elements of a list that are of that type; the others are worth no word."""
    return elements(raw, form)[0]


def count(raw: msgspec.Raw) -> int | None:
    """A number of things, be it written with a fraction or as text; None where it is none, or more than of anything."""
    text = str(said(raw, int | float | str, "")).strip()  # type: ignore[arg-type]  # a union is a form too
    found = _COUNT.fullmatch(text)
    return int(found[1]) if found else None


def doubled(content: bytes, name: str) -> bool:
    """Whether a name stands twice in the outermost object: a decoder takes the last, and which is meant cannot be told."""
    if content.count(b'"%b"' % name.encode()) < 2:
        return False
    counts = list[int]()

    def met(pairs: list[tuple[str, Any]]) -> None:
        counts[:] = [sum(key == name for key, _ in pairs)]  # the outermost object ends last

    try:
        json.loads(content, object_pairs_hook=met)
    except (ValueError, RecursionError):
        return False  # another error's to say
    return bool(counts) and counts[0] > 1


def is_whole(content: bytes) -> bool:
    """Whether the bytes are one whole JSON value, however deep."""
    try:
        decoded(content, _ANY_VALUE)
    except TooDeep:
        return _is_balanced(content)
    except Unreadable:
        return False
    return True


def without_unreadable(content: bytes) -> tuple[bytes, list[bytes]]:
    """An object whose lists hold no element that cannot be read: `{}` stands in each one's place; and those elements.

    Brackets are counted without a stack, so depth costs nothing. An element in which quotation marks do not come in pairs
    stays, and with it the whole object unreadable: where it ends is not known.
    """
    kept, cut, upto = bytearray(), list[bytes](), 0
    if len(content) > MENDED_BYTES:
        return content, cut
    for begin, end in _elements(content):
        element = content[begin:end]
        if not _is_readable(element) and _is_paired(element):
            kept += content[upto:begin] + b"{}"
            cut.append(element)
            upto = end
    return bytes(kept + content[upto:]), cut


def _elements(content: bytes) -> Iterator[tuple[int, int]]:
    """Where the objects in the outermost object's lists begin and end."""
    depth = begun = 0
    for token in _TOKEN.finditer(content):
        mark = content[token.start() : token.end()]
        if mark in (b"{", b"["):
            depth += 1
            if depth == _ELEMENT:
                begun = token.start()
        elif mark in (b"}", b"]"):
            depth -= 1
            if depth == _LIST:
                yield begun, token.end()


def _is_readable(element: bytes) -> bool:
    try:
        decoded(element, _ANY_VALUE)
    except Unreadable:
        return False
    return True


def _is_paired(element: bytes) -> bool:
    return _BETWEEN.fullmatch(_TOKEN.sub(b"", element)) is not None


def _is_balanced(content: bytes) -> bool:
    depth = 0
    for token in _TOKEN.finditer(content):
        mark = content[token.start()]
        depth += (mark in b"[{") - (mark in b"]}")
        if depth <= 0:
            return mark in b"]}" and not content[token.end() :].strip()
    return False


def _decoder(form: type[T]) -> msgspec.json.Decoder[T]:
    if (known := _DECODERS.get(form)) is None:
        known = _DECODERS[form] = msgspec.json.Decoder(form)
    return known
