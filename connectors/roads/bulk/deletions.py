"""What an export says was deleted → a stub for each resource, among the landed files of its type.

Each line is a Bundle of DELETE requests. What the same export also brings was made again: it stays.
"""

import re
from collections.abc import Collection, Iterator, Sequence

import msgspec

from connectors.by_id import stub
from connectors.formats.ndjson import read_lines
from connectors.landing import Landing
from connectors.outside.decoding import ABSENT, Unreadable, decoded, elements, said
from connectors.pulled import EVERY_TYPE, Shortfall
from connectors.roads.bulk.manifest import ManifestPart, Use
from schemas.gaps import GapCause
from schemas.problems import Problem

_ADDRESS = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/([A-Za-z0-9.\-_]{1,255})")
_NO_CAP = 1 << 62


class _Request(msgspec.Struct):
    method: msgspec.Raw = ABSENT
    url: msgspec.Raw = ABSENT


class _Entry(msgspec.Struct):
    request: msgspec.Raw = ABSENT


class _Bundle(msgspec.Struct):
    entry: msgspec.Raw = ABSENT


class _Named(msgspec.Struct):
    id: msgspec.Raw = ABSENT


_BUNDLE = msgspec.json.Decoder(_Bundle)
_NAMED = msgspec.json.Decoder(_Named)


class Deletions:
    """The deletions of one export."""

    def __init__(self, landing: Landing, wanted: Collection[str]) -> None:
        self.landing, self.wanted = landing, wanted

    def settle(self, parts: Sequence[ManifestPart], numbers: dict[str, int]) -> None:
        """Puts stubs in the place of files of deletions. Done again it does the same: stubs have a file of their own."""
        told = [part for part in parts if part.use is Use.DELETIONS and part.files]
        gone: dict[str, set[str]] = {}
        for part in told:
            for address in self._read(part):
                gone.setdefault(address[0], set()).add(address[1])
        for name, ids in sorted(gone.items()):
            ids -= self._came(name, ids)
            if ids:
                numbers[name] = numbers.get(name, 0) + 1
                path = self.landing.path(name, numbers[name])
                self.landing.write(path, [stub(name, each) + b"\n" for each in sorted(ids)])
                told[0].files.append(path.name)
                told[0].notes.append(f"{name}: the export names {len(ids)} as deleted")

    def _read(self, part: ManifestPart) -> Iterator[tuple[str, str]]:
        """Type and id of what is deleted, of the types that are read."""
        unreadable = 0
        for line in read_lines(self.landing.folder / part.files[0], cap=_NO_CAP):
            addresses, wrong = _deleted(line)
            unreadable += wrong
            yield from (address for address in addresses if address[0] in self.wanted)
        if unreadable:
            reason = f"{unreadable} deletions in the export cannot be read"
            part.short.append(Shortfall(EVERY_TYPE, GapCause.FILE_NOT_READ, reason))

    def _came(self, name: str, ids: set[str]) -> set[str]:
        """Which of some ids the landed files of the type hold."""
        found: set[str] = set()
        for path in self.landing.files(name):
            for line in read_lines(path, cap=_NO_CAP):
                found |= ids & {_id_of(line)}
        return found


def _deleted(line: bytes | Problem) -> tuple[list[tuple[str, str]], int]:
    """What a line deletes, and how much of it cannot be told."""
    if isinstance(line, Problem):
        return [], 1
    try:
        entries, unreadable = elements(decoded(line, _BUNDLE).entry, _Entry)
    except Unreadable:
        return [], 1
    found = []
    for entry in entries:
        request = said(entry.request, _Request, _Request())
        address = _ADDRESS.fullmatch(said(request.url, str, ""))
        if said(request.method, str, "").upper() == "DELETE" and address:
            found.append((address[1], address[2]))
        else:
            unreadable += 1
    return found, unreadable


def _id_of(line: bytes | Problem) -> str:
    if isinstance(line, Problem):
        return ""
    try:
        return said(decoded(line, _NAMED).id, str, "")
    except Unreadable:
        return ""
