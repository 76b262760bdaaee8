"""The road of files: a folder that the site delivers into, copied compressed into the landing.

A file named after its type is taken as it is; of any other, and of JSON documents, each type takes its own resources. A
file that breaks off keeps its good lines, and its type is reported incomplete.
"""

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import msgspec
from isal import isal_zlib

from connectors.delivery import (
    Delivery,
    NotPlain,
    Told,
    below,
    blocks,
    empty,
    growing,
    look_into,
    name_of,
    opened,
    require_end_marker,
    shown,
    told_of,
)
from connectors.formats.bundles import BUNDLE, held_in
from connectors.formats.gzip import MAGIC, Bomb, TruncatedGzip, plain
from connectors.formats.json import is_document
from connectors.formats.meter import Meter, TooLarge
from connectors.formats.ndjson import text_batches
from connectors.formats.utf8 import NotUtf8
from connectors.formats.zip import Member, UnreadableZip, member_blocks, members
from connectors.outside.decoding import Unreadable, decoded, is_whole
from connectors.outside.file_names import is_json, is_packed, is_read, is_zip
from connectors.outside.times import newest
from connectors.pulled import EVERY_TYPE, Pulled, Shortfall
from connectors.source import Source, Wanted
from schemas.errors import OperatorError
from schemas.gaps import GapCause
from schemas.outcomes import referred_types
from schemas.problems import Reason

UNKNOWN = "?"
"""Type of a file that neither its name nor its first lines tell."""
NO_FHIR = ""
SORTED = "*"
"""Type of a file whose resources say each its own."""
FIRST_LINES = 10
NAMED = 20
"""Refused files that are named one by one."""
SAVED_EVERY = 1.0
"""Seconds: a crash loses at most the files of so long. Else many small files would cost more to note than to copy."""


class Part(NamedTuple):
    """A file, or one of an archive."""

    path: Path
    member: Member | None = None

    @property
    def name(self) -> str:
        """Its own, without those of folders."""
        return self.member.name.rpartition("/")[2] if self.member else self.path.name

    @property
    def size(self) -> int:
        """Bytes: of a file as it lies there, of a member unpacked."""
        return self.member.size if self.member else self.path.stat(follow_symlinks=False).st_size

    def key(self, folder: Path) -> str:
        """Another for each part of a delivery."""
        name = name_of(self.path, folder)
        return f"{name}#{self.member.place}" if self.member else name

    def blocks(self, folder: Path) -> Iterator[bytes]:
        """Its bytes, packed where it is by gzip. Raises NotPlain, UnreadableZip."""
        if self.member is None:
            yield from blocks(self.path, folder)
            return
        with opened(self.path, folder) as file:
            yield from member_blocks(file, self.member)


class FilesCursor(msgspec.Struct, kw_only=True):
    """How far the copying of one type has come."""

    began: datetime
    taken: list[str] = []
    """Parts that are done, by their keys."""
    files: list[str] = []
    """In the landing."""
    delivered: bool = False
    """Whether the delivery holds the type, be it by an empty file."""
    resources: int = 0
    bytes: int = 0
    newest: datetime | None = None
    written: datetime | None = None
    """When the newest of the type's files was: up to then the delivery speaks."""
    late: datetime | None = None
    """When the newest of all files was, where that is too long ago."""
    sums: list[str] = []
    """Of what was landed, by part."""
    broken: int = 0
    too_long: int = 0
    unknown: int = 0
    refused: list[str] = []
    """What was not read, as it is shown: links, pipes, files that would fill the disk."""
    growing: list[str] = []
    """What was still being written."""
    told: list[str] = []
    """What manifests and logs count of the type that did not come."""
    lost: int = 0
    """Files that the bulk client could not fetch."""
    others: dict[str, int] = {}
    """Files of types that the site is not read for."""
    unwanted: dict[str, int] = {}
    """Resources of such types, OperationOutcome and Parameters among them, in files of several."""
    done: bool = False


class _Kind(msgspec.Struct):
    resourceType: str = ""


_KIND = msgspec.json.Decoder(_Kind)


def files_by_type(delivery: Delivery, types: list[str], *, cap: int) -> dict[str, list[Part]]:
    """A delivery's files by resource type, of other types too; SORTED where their resources say it, UNKNOWN where nothing does.

    A file is named after its type (`Observation.ndjson`, `Observation.000.ndjson.gz`, `1.Observation.ndjson`), else its
    lines tell. Empty files are left out. An archive that cannot be opened joins those that are refused.
    """
    found: dict[str, list[Part]] = {}
    with _share(delivery.folder):
        for path in delivery.files:
            for part in _parts(path, delivery):
                if part.size:
                    found.setdefault(_type_of(part, types, delivery.folder, cap), []).append(part)
    delivery.others += [part.path for part in found.pop(NO_FHIR, [])]
    return found


def _parts(path: Path, delivery: Delivery) -> list[Part]:
    if not is_zip(path.name):
        return [Part(path)]
    if path in delivery.refused:
        return []
    try:
        with opened(path, delivery.folder) as file:
            found = members(file)
    except (NotPlain, UnreadableZip):
        delivery.refused.append(path)
        return []
    kept = [each for each in found if is_read(each.name) and each.readable]
    if any(each not in kept and (is_read(each.name) or is_packed(each.name) or is_zip(each.name)) for each in found):
        delivery.refused.append(path)
    return [Part(path, each) for each in kept]


def _type_of(part: Part, types: list[str], folder: Path, cap: int) -> str:
    """NO_FHIR for JSON that is of something else, such as a program's settings."""
    named = named_type(part.name, types)
    try:
        first = first_type(part, folder, cap=cap)
    except OperatorError:
        if not named:
            raise
        return named  # it costs its own type, when it is read
    if is_json(part.name) and first == UNKNOWN and not named:
        return NO_FHIR if any(map(is_whole, first_lines(part, folder, 1, cap=cap))) else UNKNOWN
    if first == BUNDLE or is_json(part.name) or is_document(first_block(part, folder)):
        return SORTED
    return named or (first if first == UNKNOWN or first in _words(part.name) else SORTED)


def _words(name: str) -> set[str]:
    return set(re.split(r"[^A-Za-z]+", name))


def delivered(source: Source) -> tuple[Delivery, dict[str, list[Part]]]:
    """What a site delivered, and its files by type. Raises MainstemError where it is nothing, or not whole."""
    delivery, types = look_into(source.files), list(source.site.types)
    if source.site.files and (marker := source.site.files.end_marker):
        require_end_marker(delivery, marker)
    told_of(delivery)
    found = files_by_type(delivery, types, cap=source.site.limits.line_bytes)
    readable = {*types, *referred_types(types), UNKNOWN, SORTED}
    if not readable.intersection(found) and not delivery.refused and not any(map(_is_packed, delivery.others)):
        raise empty(delivery.folder, _instead(delivery, found))
    return delivery, found


def _instead(delivery: Delivery, found: dict[str, list[Part]]) -> str:
    if found:
        return f"holds files of {', '.join(sorted(found))} only, none of the site's types"
    if delivery.files or delivery.others:
        return f"holds no file that is read: {len(delivery.files)} empty ones, {len(delivery.others)} of other names"
    return "is empty"


def _is_packed(path: Path) -> bool:
    return is_packed(path.name)


def named_type(name: str, types: list[str]) -> str:
    """The one type a file is named after; empty where there is none, or several."""
    named = _words(name).intersection(types)
    return named.pop() if len(named) == 1 else ""


def first_type(part: Part, folder: Path, *, cap: int) -> str:
    """resourceType of the first line that has one; UNKNOWN where none of the first ten does."""
    with _share(part.path):
        known = part.path.stat(follow_symlinks=False)
        return _first_type(part, folder, cap, known.st_size, known.st_mtime_ns)


@lru_cache(maxsize=1 << 16)
def _first_type(part: Part, folder: Path, cap: int, _size: int, _written: int) -> str:
    """The same, once for a file as it is: each type of a site asks anew."""
    return next((kind for line in first_lines(part, folder, FIRST_LINES, cap=cap) if (kind := _kind(line))), UNKNOWN)


def first_block(part: Part, folder: Path) -> bytes:
    """What a part begins with, unpacked."""
    try:
        return next(plain(part.blocks(folder)), b"")
    except (NotPlain, UnreadableZip, TruncatedGzip):
        return b""


def first_lines(part: Part, folder: Path, most: int, *, cap: int) -> list[bytes]:
    """The lines a part begins with; none where it cannot be read as text."""
    try:
        found = text_batches(part.blocks(folder), cap=cap, name=part.name)
        return list(islice(chain.from_iterable(each for each in found if not isinstance(each, Reason)), most))
    except (NotPlain, UnreadableZip):
        return []


def _kind(line: bytes) -> str:
    try:
        return decoded(line, _KIND).resourceType
    except Unreadable:
        return ""


def _each(lines: list[bytes]) -> Iterator[tuple[bytes, str]]:
    """Resources with their types, those that Bundles hold in the Bundles' place."""
    for line in lines:
        kind = _kind(line)
        yield from ((held, _kind(held)) for held in held_in(line)) if kind == BUNDLE else [(line, kind)]


def _plain(kind: str) -> str:
    """A type as a report may show it: it is somebody else's word."""
    return kind if re.fullmatch("[A-Z][A-Za-z]{2,39}", kind) else "of no FHIR type"


@contextmanager
def _share(path: Path) -> Iterator[None]:
    """What the system refuses there, in our words."""
    try:
        yield
    except OSError as exc:
        raise OperatorError(f"{path} cannot be read ({exc.strerror})", "Check permissions and the share.") from exc


def pull_files(source: Source, wanted: Wanted) -> Pulled:
    """The files of one type, into the landing folder; file by file, so a crash goes on at the next.

    Files of no known type come with the site's first type, where their lines are counted as problems.
    """
    return _Copying(source, wanted).run()


class _Copying:
    """The files of one type, with their cursor."""

    def __init__(self, source: Source, wanted: Wanted) -> None:
        self.source, self.folder, self.types = source, source.files, list(source.site.types)
        self.limits, self.settings = source.site.limits, source.site.files
        self.type, self.landing, self.progress = wanted.unit, wanted.landing, wanted.progress
        self.wanted = {*self.types, *referred_types(self.types)}
        self.first = self.type == self.types[0]
        self.cursor = self.landing.cursor(self.type, FilesCursor) or FilesCursor(began=source.clock())
        self.lines: dict[Path, int] = {}
        self.saved = 0.0

    def run(self) -> Pulled:
        """Every file from where the cursor stands."""
        if not self.cursor.done:
            try:
                self._take_all()
                self.cursor.done = True
            finally:
                self._save()
        whole = self.settings is None or self.settings.delivers == "all"
        return _pulled(self.type, self.cursor, full=whole)

    def _take_all(self) -> None:
        cursor, delivery = self.cursor, look_into(self.folder)
        found = files_by_type(delivery, self.types, cap=self.limits.line_bytes)
        cursor.refused = [shown(path, self.folder) for path in self._of_this_type(delivery)]
        unknown, own = found.get(UNKNOWN, []), found.get(self.type, [])
        cursor.unknown = len(unknown)
        if self.first:
            others = Counter(
                {_plain(name): len(found[name]) for name in found.keys() - {*self.wanted, UNKNOWN, SORTED}}
            )
            cursor.others = dict(sorted(others.items())[:NAMED])
        self.landing.discard(path for path in self.landing.files(self.type) if path.name not in cursor.files)
        cursor.late = self._late(delivery)
        self.sorted = set(found.get(SORTED, []))
        parts = [*own, *(unknown if self.first else []), *found.get(SORTED, [])]
        being_written = self._growing(parts)
        for part in parts:
            if part.path in being_written:
                cursor.growing.append(shown(part.path, self.folder))
            elif part.key(self.folder) not in cursor.taken:
                self._take(part)
                self.progress(self.type, cursor.resources)
        self._compare(told_of(delivery), delivery)

    def _late(self, delivery: Delivery) -> datetime | None:
        hours = self.settings.every_hours if self.settings else None
        written = max((_written(path) for path in delivery.files), default=None)
        if hours is None or written is None:
            return None
        return written if self.source.clock() - written > timedelta(hours=hours) else None

    def _growing(self, parts: list[Part]) -> set[Path]:
        seconds = self.settings.settle_seconds if self.settings else 0
        return growing([part.path for part in parts], seconds, now=self.source.clock, sleep=self.source.sleep)

    def _of_this_type(self, delivery: Delivery) -> list[Path]:
        """What is not read and may hold the type: what is no plain file, what is named after it, packed in ways not known."""
        refused = [path for path in delivery.refused if named_type(path.name, self.types) in ("", self.type)]
        return refused + [
            path
            for path in delivery.others
            if (named := named_type(path.name, self.types)) == self.type or (not named and is_packed(path.name))
        ]

    def _take(self, part: Part) -> None:
        cursor, meter = self.cursor, Meter(cap=self.limits.line_bytes, most=self.limits.file_bytes)
        target = self.landing.path(self.type, len(cursor.files) + 1)
        before = _looks(part.path)
        self.sum = 0
        try:
            with _share(part.path):
                self._copy(part, target, meter)
        except NotPlain:
            cursor.refused.append(shown(part.path, self.folder))
        except (TooLarge, UnreadableZip) as exc:
            cursor.refused.append(f"{shown(part.path, self.folder)} ({exc})")
        except NotUtf8 as exc:
            cursor.refused.append(f"{shown(part.path, self.folder)} ({exc.encoding}, not UTF-8)")
        else:
            if _looks(part.path) != before:
                cursor.growing.append(shown(part.path, self.folder))
                self.landing.discard([target])
                return
            self._note(part, target, meter)

    def _note(self, part: Part, target: Path, meter: Meter) -> None:
        cursor, key = self.cursor, part.key(self.folder)
        cursor.taken.append(key)
        cursor.sums.append(f"{key}:{self.sum:08x}")
        cursor.delivered = cursor.delivered or part not in self.sorted or meter.lines > 0
        self.lines[part.path] = self.lines.get(part.path, 0) + meter.lines
        if part in self.sorted and not meter.bytes:
            self.landing.discard([target])
        else:
            cursor.files.append(target.name)
        cursor.resources += meter.lines
        cursor.bytes += meter.bytes
        cursor.broken += meter.truncated
        cursor.newest = newest(cursor.newest, meter.newest)
        if cursor.files[-1:] == [target.name] or part not in self.sorted:
            cursor.written = newest(cursor.written, _written(part.path))
        if time.monotonic() - self.saved > SAVED_EVERY:
            self._save()

    def _copy(self, part: Part, target: Path, meter: Meter) -> None:
        began = self.cursor.began
        if part in self.sorted:
            self.landing.write(target, self._summed(meter.through(self._own(part, meter), not_after=began)))
            return
        packed = part.blocks(self.folder)
        first = next(packed, b"")
        whole = chain([first], packed)
        if first.startswith(MAGIC):
            self.landing.copy(target, self._summed(_measured_as_is(whole, meter, began)))
        else:
            self.landing.write(target, self._summed(meter.through(whole, not_after=began)))

    def _summed(self, source: Iterator[bytes]) -> Iterator[bytes]:
        for block in source:
            self.sum = isal_zlib.crc32(block, self.sum)
            yield block

    def _own(self, part: Part, meter: Meter) -> Iterator[bytes]:
        """The resources of this type; a line that is none comes with the first type."""
        cursor = self.cursor
        for found in text_batches(part.blocks(self.folder), cap=self.limits.line_bytes, name=part.name):
            if isinstance(found, Reason):
                self._judge(found, meter)
                continue
            for line, kind in _each(found):
                if kind == self.type or (not kind and self.first):
                    yield line + b"\n"
                elif self.first and kind not in self.wanted:
                    cursor.unwanted[_plain(kind)] = cursor.unwanted.get(_plain(kind), 0) + 1

    def _judge(self, reason: Reason, meter: Meter) -> None:
        """What kept lines of a file from being read."""
        if reason is Reason.OTHER_ENCODING:
            raise NotUtf8
        if reason is Reason.FILE_TOO_LARGE:
            raise TooLarge(f"unpacks to more than {Bomb.ratio} times its size")
        if reason is Reason.LINE_TOO_LONG:
            self.cursor.too_long += 1
        else:
            raise TruncatedGzip

    def _compare(self, told: list[Told], delivery: Delivery) -> None:
        """What manifests and logs say against what came."""
        names = {path.name for path in delivery.files}
        for each in told:
            came = sum(self.lines.get(path, 0) for path in below(each, self.lines))
            absent = sorted(name for name, kind in each.files.items() if kind == self.type and name not in names)
            if self.type in each.counts and self.type not in each.uncounted and came < each.counts[self.type]:
                self.cursor.told.append(f"{came} of {each.counts[self.type]} that the delivery counts came")
            elif absent and came == 0:
                self.cursor.told.append(f"{len(absent)} files that the delivery names are not there")
            self.cursor.lost += each.failed[self.type]

    def _save(self) -> None:
        self.landing.save_cursor(self.type, self.cursor)
        self.saved = time.monotonic()


def _written(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat(follow_symlinks=False).st_mtime, UTC)


def _looks(path: Path) -> tuple[int, int]:
    """What changes where a file is written to."""
    known = path.stat(follow_symlinks=False)
    return known.st_size, known.st_mtime_ns


def _measured_as_is(source: Iterator[bytes], meter: Meter, not_after: datetime) -> Iterator[bytes]:
    """The packed bytes, while what is in them is measured: copying alone would not show a missing end."""
    packed: list[bytes] = []

    def noted() -> Iterator[bytes]:
        for block in source:
            packed.append(block)
            yield block

    for _ in meter.through(noted(), not_after=not_after):
        while packed:
            yield packed.pop(0)
    yield from packed


def _pulled(resource_type: str, cursor: FilesCursor, *, full: bool) -> Pulled:
    return Pulled(
        unit=resource_type,
        files=cursor.files,
        resources=cursor.resources,
        types={resource_type: cursor.resources},
        pages=len(cursor.files),
        bytes=cursor.bytes,
        short=list(_short(resource_type, cursor)),
        delivered=cursor.delivered,
        digest=blake2b("\n".join(sorted(cursor.sums)).encode(), digest_size=16).hexdigest() if cursor.sums else "",
        notes=_notes(cursor),
        newest=cursor.newest,
        full=full,
        as_of=min(cursor.began, cursor.written or cursor.began),
    )


def _short(name: str, cursor: FilesCursor) -> Iterator[Shortfall]:
    """What did not come."""
    if cursor.late and cursor.delivered:
        reason = f"the delivery is late: its newest file is of {cursor.late:%Y-%m-%d %H:%M}Z, longer ago than files.every_hours"
        yield Shortfall(EVERY_TYPE, GapCause.DELIVERY_LATE, reason)
    if cursor.growing:
        reason = f"{name}: {len(cursor.growing)} files are still being written"
        fix = "Nothing, if the next run finds them whole. Have them written elsewhere and renamed, or set files.end_marker."
        yield Shortfall(name, GapCause.DELIVERY_LATE, reason, fix)
    if cursor.broken:
        reason = f"{name}: {cursor.broken} of {len(cursor.taken)} files end in mid-line or mid-block"
        yield Shortfall(name, GapCause.CUT, reason)
    if cursor.unknown:
        reason = f"{cursor.unknown} files name no resource type, in their names or first lines"
        yield Shortfall(EVERY_TYPE, GapCause.UNKNOWN_TYPE, reason)
    if cursor.refused:
        reason = (
            f"{name}: {len(cursor.refused)} files were not read: links, pipes, forms that are not known,"
            " or more than a file may hold"
        )
        yield Shortfall(name, GapCause.FILE_NOT_READ, reason)
    if cursor.too_long:
        reason = f"{name}: {cursor.too_long} resources in files of several types are longer than limits.line_bytes"
        yield Shortfall(
            name, GapCause.FILE_NOT_READ, reason, "Raise limits.line_bytes in the site file if they are genuine."
        )
    if cursor.lost:
        reason = f"{name}: {cursor.lost} files could not be fetched by the bulk client, as its log says"
        yield Shortfall(name, GapCause.FILE_NOT_READ, reason, "Run the bulk client again.")
    for reason in cursor.told:
        yield Shortfall(
            name, GapCause.SHORT_OF_COUNT, f"{name}: {reason}", "Have the rest delivered, or delivered again."
        )


def _notes(cursor: FilesCursor) -> list[str]:
    """What somebody at the site may want to know."""
    said = [f"not read, no plain file of the delivery: {name}" for name in cursor.refused[:NAMED]]
    if len(cursor.refused) > NAMED:
        said.append(f"and {len(cursor.refused) - NAMED} more files of the delivery not read")
    said += [f"still being written: {name}" for name in cursor.growing[:NAMED]]
    if cursor.others:
        kinds = ", ".join(f"{name} ({count})" for name, count in list(cursor.others.items())[:NAMED])
        said.append(f"files of types that the site is not read for: {kinds}")
    return said + [f"{count} lines are {kind}, which is not mapped" for kind, count in cursor.unwanted.items()]
