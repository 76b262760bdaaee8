"""What a bulk client wrote of its delivery: a manifest (`manifest.json`) or the log of its export (`log.ndjson`).

Both are somebody else's word: what is no number and no name in them says nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from connectors.delivery.folder import Delivery, blocks, shown
from connectors.outside.decoding import ABSENT, Unreadable, decoded, each, said
from schemas.errors import IncompleteError
from schemas.gaps import GapCause

MOST_BYTES = 64 << 20
"""Longest manifest or log that is read."""
MOST_COUNT = 1 << 53


@dataclass
class Told:
    """What one manifest or log says that the files beside and below it hold."""

    folder: Path
    counts: Counter[str] = field(default_factory=Counter)
    """Resources by type, where every file of the type has its count."""
    files: dict[str, str] = field(default_factory=dict)
    """Types by the names of files."""
    failed: Counter[str] = field(default_factory=Counter)
    """Files that could not be fetched, by type."""
    uncounted: set[str] = field(default_factory=set)


class _File(msgspec.Struct):
    type: msgspec.Raw = ABSENT
    url: msgspec.Raw = ABSENT
    count: msgspec.Raw = ABSENT


class _Manifest(msgspec.Struct):
    output: msgspec.Raw = ABSENT


class _Detail(msgspec.Struct):
    fileUrl: msgspec.Raw = ABSENT
    resourceType: msgspec.Raw = ABSENT
    itemType: msgspec.Raw = ABSENT
    resourceCount: msgspec.Raw = ABSENT


class _Event(msgspec.Struct):
    exportId: msgspec.Raw = ABSENT
    eventId: msgspec.Raw = ABSENT
    eventDetail: msgspec.Raw = ABSENT


_MANIFEST = msgspec.json.Decoder(_Manifest)
_EVENT = msgspec.json.Decoder(_Event)


def told_of(delivery: Delivery) -> list[Told]:
    """What stands in the manifests and logs of a delivery. Raises IncompleteError where an export is not finished."""
    found = []
    for path in delivery.telling:
        text = _text(path, delivery.folder)
        if path.name.lower().endswith(".ndjson"):
            found.append(_of_log(text, path, delivery.folder))
        elif (manifest := _of_manifest(text, path.parent)) is not None:
            found.append(manifest)
    return found


def _text(path: Path, folder: Path) -> bytes:
    found = bytearray()
    for block in blocks(path, folder):
        found += block
        if len(found) > MOST_BYTES:
            return b""
    return bytes(found)


def _of_manifest(text: bytes, folder: Path) -> Told | None:
    """None for what is another program's manifest."""
    try:
        output = decoded(text.removeprefix(b"\xef\xbb\xbf"), _MANIFEST).output
    except Unreadable:
        return None
    told = Told(folder)
    for file in each(output, _File):
        _count(told, said(file.type, str, ""), said(file.url, str, ""), file.count)
    return told


def _of_log(text: bytes, path: Path, folder: Path) -> Told:
    """The last export of a log, which may hold several."""
    events = list(_events(text))
    last = said(events[-1].exportId, str, "") if events else ""
    told, types, ended = Told(path.parent), dict[str, str](), not events
    for event in events:
        if said(event.exportId, str, "") != last:
            continue
        detail = said(event.eventDetail, _Detail, _Detail())
        url, kind = said(detail.fileUrl, str, ""), said(event.eventId, str, "")
        ended = kind == "export_complete" or (ended and kind != "kickoff")
        if kind == "download_request" and said(detail.itemType, str, "output") == "output":
            types[url] = said(detail.resourceType, str, "")
        elif kind == "download_complete" and url in types:
            _count(told, types[url], url, detail.resourceCount)
        elif kind == "download_error" and url in types:
            told.failed[types[url]] += 1
    if not ended:
        raise IncompleteError(
            f"the delivery is not whole: {shown(path, folder)} tells of an export that has not ended",
            "Wait for the bulk client, or run it again.",
            gap=GapCause.DELIVERY_LATE,
            who="site IT",
        )
    return told


def _events(text: bytes) -> Iterator[_Event]:
    for line in text.splitlines():
        try:
            yield decoded(line, _EVENT)
        except Unreadable:
            continue


def _count(told: Told, name: str, url: str, count: msgspec.Raw) -> None:
    if not name:
        return
    file = unquote(urlsplit(url).path).rpartition("/")[2]
    if file:
        told.files[file] = name
    number = said(count, int, -1)
    if 0 <= number < MOST_COUNT:
        told.counts[name] += number
    else:
        told.uncounted.add(name)


def below(told: Told, paths: Iterable[Path]) -> list[Path]:
    """The files that a manifest or log speaks of: beside it and below."""
    return [path for path in paths if path.is_relative_to(told.folder)]
