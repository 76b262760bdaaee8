"""One file of an export → the landing, whole or not at all, each resource under its own type."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from connectors.client.fhir_client import FhirClient, Gone
from connectors.formats.folded import HOLDERS, folds, held_by
from connectors.formats.gzip import file_blocks, plain
from connectors.formats.json import is_document
from connectors.formats.meter import Meter, TooLarge
from connectors.formats.ndjson import read_lines
from connectors.formats.utf8 import NotUtf8
from connectors.landing import InTurn, Landing
from connectors.outside.decoding import Unreadable, decoded
from connectors.pulled import EVERY_TYPE, EXPORT, Shortfall
from connectors.roads.bulk.manifest import MESSAGES, ManifestPart, Use
from connectors.roads.bulk.messages import weighed
from schemas.errors import IncompleteError
from schemas.gaps import GapCause
from schemas.problems import Problem
from schemas.site_sections import Limits

UNSORTED = f"unsorted-{EXPORT}"
DOUBTED = 2
"""How often an empty file is asked for once more: why should it be named?"""
HEADER, NO_LINE = "Parameters", "?"
"""What stands in front of each patient's resources where files are organized by patient; what is no line to be read."""


class _Kind(msgspec.Struct):
    resourceType: str = ""


_KIND = msgspec.json.Decoder(_Kind)


class Files:
    """Fetches the files of one export."""

    def __init__(
        self, client: FhirClient, landing: Landing, limits: Limits, wanted: Collection[str], numbers: dict[str, int]
    ) -> None:
        """`numbers`: files there are in the landing, by type; counted on here."""
        self.client, self.landing, self.limits, self.wanted = client, landing, limits, wanted
        self._numbers = numbers
        self._written = InTurn(landing)

    def settle(self) -> None:
        """What was fetched is there, and on the disk."""
        self._written.settle()

    def fetch(self, part: ManifestPart, *, log_in: bool, not_after: datetime) -> None:
        """Fetches a file and notes with the part what came of it; it is there after `settle`. Raises what the client raises."""
        stem = {Use.MESSAGES: f"{MESSAGES}-{EXPORT}", Use.DELETIONS: f"deletions-{EXPORT}"}.get(part.use, part.type)
        path = self._target(stem or UNSORTED)

        doubts = iter(range(DOUBTED if part.use is Use.DATA and part.count != 0 else 0))

        def once() -> Meter:
            meter = Meter(cap=self.limits.line_bytes, most=self.limits.file_bytes, kind=part.type)
            with self.client.download(part.url, what=_what(part), log_in=log_in) as blocks:
                self._written.write(path, _doubted(meter.through(blocks, not_after=not_after), part, doubts))
            return meter

        try:
            meter = self._found(part, once)
        except TooLarge as exc:
            part.short.append(_short(part, GapCause.FILE_NOT_READ, f"a file of the export {exc}; not taken"))
            return
        except NotUtf8 as exc:
            reason = f"a file of the export is {exc.encoding}, not UTF-8; not taken"
            part.short.append(_short(part, GapCause.FILE_NOT_READ, reason))
            return
        part.bytes, part.newest = meter.bytes, meter.newest
        alike = meter.alike >= meter.lines and bool(part.type)
        sorted_out = None if alike or part.use is not Use.DATA else self._sorted_out(path)
        truncated, came = (meter.truncated, meter.lines) if sorted_out is None else sorted_out.came(meter)
        if truncated:
            part.short.append(_short(part, GapCause.CUT, "a file of the export ends in mid-line"))
        elif part.count is not None and came < part.count:
            reason = f"a file of the export holds {came} of {part.count} resources"
            part.short.append(_short(part, GapCause.SHORT_OF_COUNT, reason))
        self._take(part, path, meter, sorted_out)

    def _found(self, part: ManifestPart, once: Callable[[], Meter]) -> Meter:
        """A file from where it is, of the places it may be at."""
        try:
            return self.client.again_and_again(once)
        except Gone:
            if not part.or_at:
                raise
        part.url, part.or_at = part.or_at, ""
        return self.client.again_and_again(once)

    def _take(self, part: ManifestPart, path: Path, meter: Meter, sorted_out: "_Sorted | None") -> None:
        part.files.append(path.name)
        if part.use is Use.MESSAGES:
            part.messages = meter.lines
            self._weigh(part, path)
        elif sorted_out is not None:
            self._sort(part, path, sorted_out)
        elif part.use is Use.DATA:
            part.types = {part.type: meter.lines}

    def _weigh(self, part: ManifestPart, path: Path) -> None:
        short, notes = weighed(self._lines(path), part.type, self.wanted)
        part.short += short
        part.notes += notes

    def _lines(self, path: Path) -> Iterator[bytes | Problem]:
        self.settle()
        return read_lines(path, cap=self.limits.line_bytes)

    def _resources(self, path: Path, *, folded: bool) -> Iterator[bytes | Problem]:
        """The lines of a file; of one that is `folded` with what Bundles and Binaries of FHIR hold in their place."""
        for line in self._lines(path):
            if folded and not isinstance(line, Problem):
                yield from held_by(line)
            else:
                yield line

    def _sorted_out(self, path: Path) -> "_Sorted":
        """What a file holds that is not line for line what its type begins with."""
        kinds = Counter(map(_kind, self._lines(path)))
        folded = not HOLDERS.isdisjoint(kinds) and any(
            not isinstance(line, Problem) and folds(line) for line in self._lines(path)
        )
        if folded:
            kinds = Counter(map(_kind, self._resources(path, folded=True)))
        return _Sorted(kinds, folded, is_document(next(plain(file_blocks(path)), b"")))

    # ------------------------------------------------------------ several types in a file

    def _sort(self, part: ManifestPart, path: Path, sorted_out: "_Sorted") -> None:
        """Where lines may be of other types than the file's, moves those that are to their own."""
        found = sorted_out.kinds
        others = {name: count for name, count in found.items() if name not in ("", NO_LINE, part.type)}
        if part.type and not others and found[""] == found.total():
            reason = "a file of the export holds no resource"
            part.short.append(_short(part, GapCause.FILE_NOT_READ, reason))
        if part.type and not others and not sorted_out.folded:
            part.types = {part.type: found.total() - found[NO_LINE]}
            return
        self._complain(part, others, found)
        part.files = []
        own = part.type or next((name for name in self.wanted if name in found), EVERY_TYPE)
        for name in self.wanted:
            kept = {name, ""} if name == own else {name}
            if count := sum(found[kind] for kind in kept):
                self._land(part, name, path, kept, folded=sorted_out.folded)
                part.types[name] = count
        if found[MESSAGES]:
            messages = self._land(part, f"{MESSAGES}-{EXPORT}", path, {MESSAGES}, folded=sorted_out.folded)
            part.messages = found[MESSAGES]
            self._weigh(part, messages)
        self.landing.discard([path])

    def _complain(self, part: ManifestPart, others: dict[str, int], found: Counter[str]) -> None:
        """What is not as the manifest says; where it says no type, lines of which none can be told."""
        foreign = sum(count for name, count in others.items() if name not in (MESSAGES, HEADER))
        if part.type and foreign and not others.get(HEADER):
            reason = f"a file of the export holds {foreign} resources of other types"
            part.short.append(_short(part, GapCause.FILE_NOT_READ, reason))
        if found[NO_LINE] and not any(each.cause is GapCause.CUT for each in part.short):
            reason = f"a file of the export holds {found[NO_LINE]} lines that are too long to be read"
            part.short.append(_short(part, GapCause.FILE_NOT_READ, reason))
        if not part.type and found[""]:
            reason = f"a file of the export holds {found['']} lines of which the type cannot be told"
            part.short.append(_short(part, GapCause.UNKNOWN_TYPE, reason))

    def _land(self, part: ManifestPart, stem: str, path: Path, kinds: Collection[str], *, folded: bool) -> Path:
        target = self._target(stem)
        held = self._resources(path, folded=folded)
        lines = (line + b"\n" for line in held if not isinstance(line, Problem) and _kind(line) in kinds)
        self.landing.write(target, lines)
        part.files.append(target.name)
        return target

    def _target(self, stem: str) -> Path:
        self._numbers[stem] = self._numbers.get(stem, 0) + 1
        return self.landing.path(stem, self._numbers[stem])


class _Sorted(NamedTuple):
    """What was found in a file line by line, or value by value where it is a JSON document."""

    kinds: Counter[str]
    """By resource type; empty where it cannot be told, NO_LINE for what cannot be read."""
    folded: bool
    """Whether resources stand in others that only hold them."""
    document: bool

    def came(self, meter: Meter) -> tuple[bool, int]:
        """Whether the file breaks off, and how many resources came."""
        if not (self.folded or self.document):
            return meter.truncated, meter.lines
        cut = bool(self.kinds[NO_LINE]) if self.document else meter.truncated
        return cut, self.kinds.total() - self.kinds[NO_LINE]


def _doubted(blocks: Iterator[bytes], part: ManifestPart, doubts: Iterator[int]) -> Iterator[bytes]:
    """The blocks. Raises IncompleteError where there is none, as long as that is doubted."""
    came = False
    for block in blocks:
        came = True
        yield block
    if not came and next(doubts, None) is not None:
        raise IncompleteError(f"{_what(part)}: an empty file was sent", "Run it again.")


def _kind(line: bytes | Problem) -> str:
    """The resource type; empty where it cannot be told."""
    if isinstance(line, Problem):
        return NO_LINE
    try:
        return decoded(line, _KIND).resourceType
    except Unreadable:
        return ""


def _what(part: ManifestPart) -> str:
    return f"the export's {part.type or part.use}"


def _short(part: ManifestPart, cause: GapCause, reason: str) -> Shortfall:
    return Shortfall(part.type, cause, f"{part.type}: {reason}" if part.type else reason)
