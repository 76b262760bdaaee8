"""A Bundle of search results → NDJSON lines: each resource's own bytes, the server's messages aside."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from connectors.outside.times import instant, newest


class _Link(msgspec.Struct):
    relation: str = ""
    url: str = ""


class _Search(msgspec.Struct):
    mode: str = "match"


class _Entry(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw(b"")
    search: _Search | None = None


class Bundle(msgspec.Struct):
    """A page of results as the server sends it, what is read of it."""

    resourceType: str = ""
    total: int | None = None
    link: list[_Link] = []
    entry: list[_Entry] = []


class _Meta(msgspec.Struct):
    lastUpdated: str = ""


class _Head(msgspec.Struct):
    resourceType: str = ""
    meta: _Meta | None = None


class _Kind(msgspec.Struct):
    resourceType: str = ""


BUNDLE = msgspec.json.Decoder(Bundle)
_HEAD = msgspec.json.Decoder(_Head)
_KIND = msgspec.json.Decoder(_Kind)


class Page:
    """One page: the resources' own bytes, messages aside."""

    def __init__(self, bundle: Bundle, not_after: datetime) -> None:
        self.resources: list[bytes] = []
        self.messages: list[bytes] = []
        self.matches = 0
        self.newest: datetime | None = None
        self.total = bundle.total
        self.next = next((link.url for link in bundle.link if link.relation == "next"), "")
        for entry in bundle.entry:
            self._take(entry, not_after)

    def _take(self, entry: _Entry, not_after: datetime) -> None:
        line = one_line(bytes(entry.resource))
        if not line:
            return
        kind, updated = _head(line)
        mode = entry.search.mode if entry.search else "match"
        if mode == "outcome" or kind == "OperationOutcome":
            self.messages.append(line)
            return
        self.resources.append(line)
        self.matches += mode != "include"
        if updated is not None and updated <= not_after:
            self.newest = newest(self.newest, updated)


def _head(line: bytes) -> tuple[str, datetime | None]:
    """Type and time of update, as far as they can be told: what is wrong in a resource is for the mapping to say."""
    try:
        head = _HEAD.decode(line)
    except msgspec.DecodeError:
        pass
    else:
        return head.resourceType, instant(head.meta.lastUpdated) if head.meta else None
    try:
        return _KIND.decode(line).resourceType, None
    except msgspec.DecodeError:
        return "", None


def one_line(raw: bytes) -> bytes:
    """A resource's bytes as one NDJSON line: between its tokens a server may break lines, inside them JSON cannot."""
    if b"\n" in raw or b"\r" in raw:
        raw = raw.replace(b"\r", b" ").replace(b"\n", b" ")
    return raw


def lines(resources: Sequence[bytes]) -> list[bytes]:
    """A page's resources as one block of lines."""
    return [b"\n".join(resources) + b"\n"]
