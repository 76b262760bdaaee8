"""A Bundle on one line → the resources it holds, one a line, and a stub for each that it deletes."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from connectors.outside.decoding import doubled

BUNDLE = "Bundle"
_WORD = b'"Bundle"'
_MAY_BE_ONE = re.compile(rb'\s*\{.{0,2000}?"resourceType"\s*:\s*"Bundle"', re.DOTALL)
_URL = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/([A-Za-z0-9.\-_]{1,255})(?:/_history/[^/]*)?/?")
_UUID = re.compile(r"urn:uuid:([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})")
_NOTHING = b"{}"
"""In place of what an entry names and does not hold, or deletes by what only its server can tell: counted as no resource."""
_DEEPEST = 3
"""Bundles within Bundles are unpacked so far."""


class _Request(Struct):
    method: str | None = None
    url: str | None = None


class _Response(Struct):
    lastModified: str | None = None


class _Entry(Struct):
    fullUrl: str | None = None
    resource: Raw = None  # type: ignore[assignment]
    request: _Request | None = None
    response: _Response | None = None


class _Bundle(Struct):
    resourceType: str
    entry: list[_Entry | None] | None = None


class _Head(Struct):
    resourceType: str = ""
    id: Any = None


_bundle = msgspec.json.Decoder(_Bundle).decode
_head = msgspec.json.Decoder(_Head).decode


def is_bundle(line: bytes) -> bool:
    """Whether a line looks like a Bundle, without decoding it."""
    return _WORD in line[:2048] and _MAY_BE_ONE.match(line) is not None


def without_bundles(batches: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    """Numbered batches of lines, with what Bundles hold in their place; all else, problems too, as it came."""
    for number, lines in batches:
        if isinstance(lines, list) and any(_WORD in line for line in lines) and any(map(is_bundle, lines)):
            for place, line in enumerate(lines):
                yield number + place, held_in(line) if is_bundle(line) else [line]
        else:
            yield number, lines


def held_in(line: bytes, depth: int = 0) -> list[bytes]:
    """The resources of a Bundle; the line itself where it is none, or cannot be read as one.

    What names a resource by its place in this Bundle (`urn:uuid:…`, `resource:0`) names it by type and id afterwards.
    """
    try:
        bundle = _bundle(line)
    except (msgspec.DecodeError, UnicodeError):
        return [line]
    if bundle.resourceType != BUNDLE or doubled(line, "entry"):
        return [line]
    entries = [entry for entry in bundle.entry or [] if entry is not None]
    names = _local_names(entries)
    found = [text for entry in entries if (text := _line_of(entry)) is not None]
    held = [_named(text, names) for text in found]
    if depth < _DEEPEST:
        held = [inner for text in held for inner in (held_in(text, depth + 1) if is_bundle(text) else [text])]
    return held


def _line_of(entry: _Entry) -> bytes | None:
    """A resource in one line, with the id its address gives where it has none of its own; or a stub of what is deleted."""
    if entry.request is not None and (entry.request.method or "").upper() == "DELETE":
        return _stub(entry.request.url or entry.fullUrl or "", entry.response)
    if entry.resource is None:
        return _NOTHING if entry.fullUrl and entry.request is None and entry.response is None else None
    text = bytes(entry.resource).replace(b"\n", b" ").replace(b"\r", b" ")
    if (ident := _given_id(entry, _head_of(text))) is None:
        return text
    return with_id(text, ident)


def with_id(text: bytes, ident: str) -> bytes:
    """A resource that has no id, with one."""
    return b'{"id":"%b",' % ident.encode() + text.lstrip()[1:]


def id_in_address(address: str, kind: str) -> str:
    """The id that an address gives a resource of a type; empty where it gives none."""
    found = _URL.fullmatch(address)
    return found[2] if found and found[1] == kind else ""


def _given_id(entry: _Entry, head: _Head | None) -> str | None:
    """The id that an entry's address gives a resource without one: `…/Observation/7`, or a UUID; nothing that counts from 0."""
    if head is None or head.id is not None or not head.resourceType:
        return None
    if _URL.fullmatch(entry.fullUrl or ""):
        return id_in_address(entry.fullUrl or "", head.resourceType) or None
    match = _UUID.fullmatch(entry.fullUrl or "")
    return match[1].lower() if match else None


def _stub(url: str, response: _Response | None) -> bytes:
    address = _URL.fullmatch(url)
    if address is None:
        return _NOTHING
    meta: dict[str, Any] = {"deleted": True}
    if response is not None and response.lastModified:
        meta["lastUpdated"] = response.lastModified
    return msgspec.json.encode({"resourceType": address[1], "id": address[2], "meta": meta})


def _head_of(text: bytes) -> _Head | None:
    try:
        return _head(text)
    except (msgspec.DecodeError, UnicodeError):
        return None


def _local_names(entries: Sequence[_Entry]) -> dict[bytes, bytes]:
    """Addresses that hold within a Bundle only → type and id."""
    names: dict[bytes, bytes] = {}
    for entry in entries:
        head = _head_of(bytes(entry.resource)) if entry.resource is not None else None
        ident = head and (_given_id(entry, head) or head.id)
        if head is None or not entry.fullUrl or not isinstance(ident, str) or not ident:
            continue
        if not _URL.fullmatch(entry.fullUrl):
            names[msgspec.json.encode(entry.fullUrl)] = msgspec.json.encode(f"{head.resourceType}/{ident}")
    return names


def _named(text: bytes, names: dict[bytes, bytes]) -> bytes:
    for local, name in names.items():
        if local in text:
            text = text.replace(b":" + local, b":" + name).replace(b": " + local, b": " + name)
    return text
