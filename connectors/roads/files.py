"""The road of files: a folder that the site delivers into, copied compressed into the landing.

A file named after its type is taken as it is; of any other, and of JSON documents, each type takes its own resources. A
file that breaks off keeps its good lines, and its type is reported incomplete.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import chain
from pathlib import Path

import msgspec
from isal import isal_zlib

from connectors.delivery import (
    Delivery,
    NotPlain,
    Told,
    below,
    growing,
    look_into,
    shown,
    told_of,
)
from connectors.formats.gzip import MAGIC, Bomb, TruncatedGzip
from connectors.formats.meter import Meter, TooLarge
from connectors.formats.ndjson import text_batches
from connectors.formats.utf8 import NotUtf8
from connectors.formats.zip import UnreadableZip
from connectors.landing import Together
from connectors.outside.file_names import is_packed
from connectors.outside.times import newest
from connectors.pulled import EVERY_TYPE, NAMED, Pulled, Shortfall, need, unread
from connectors.sorting import (
    SORTED,
    UNKNOWN,
    DeliveryPart,
    each_resource,
    files_by_type,
    holds_no_resource,
    named_type,
    plain_type,
    share,
)
from connectors.source import Source, Wanted
from schemas.gaps import GapCause
from schemas.outcomes import referred_types
from schemas.problems import Reason

SAVED_EVERY = 1.0
"""Seconds: a crash loses at most the files of so long. Else many small files would cost more to note than to copy."""
TOLD_EVERY = 8 << 20
"""Bytes of one file between two words on how far it is."""
SMALL, SMALL_UNPACKED = 256 << 10, 1 << 20
"""Bytes up to which a file is landed together with others."""


class FilesCursor(msgspec.Struct, kw_only=True):
    """How far the copying of one type has come."""

    began: datetime
    taken: list[str] = []
    """Parts that are done, by their keys."""
    files: list[str] = []
    """In the landing."""
    together: int | None = None
    """Bytes of the last of them that are whole, where it takes more small files."""
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
    senseless: int = 0
    """Files named after the type of whose first lines none is a resource."""
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
    passed: str = ""
    """Files that are neither of a form that is read nor speak FHIR, as they are shown."""
    unwanted: dict[str, int] = {}
    """Resources of such types, OperationOutcome and Parameters among them, in files of several."""
    done: bool = False


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
        self.read, self.told, self.whole = 0, 0, 0
        self.together: Together | None = None
        if self.cursor.together is not None and not self.cursor.done:
            last = self.landing.folder / self.cursor.files[-1]
            whole = self.landing.append(last, self.cursor.together, [])  # what a crash left behind is cut off
            self.together = Together(self.landing, last, whole)
        self.saved = time.monotonic()

    def run(self) -> Pulled:
        """Every file from where the cursor stands."""
        if not self.cursor.done:
            try:
                self._take_all()
                self.cursor.done = True
            finally:
                if self.cursor.taken:  # else there is nothing that a crash could lose
                    self._save()
        whole = self.settings is None or self.settings.delivers == "all"
        return _pulled(self.type, self.cursor, full=whole)

    def _take_all(self) -> None:
        delivery = look_into(self.folder)
        found = files_by_type(delivery, self.types, cap=self.limits.line_bytes)
        self._require_same(part for parts in found.values() for part in parts)
        cursor = self.cursor
        cursor.refused = [shown(path, self.folder) for path in self._of_this_type(delivery)]
        unknown, own = found.get(UNKNOWN, []), found.get(self.type, [])
        cursor.unknown = len(unknown)
        if self.first:
            others = Counter(
                {plain_type(name): len(found[name]) for name in found.keys() - {*self.wanted, UNKNOWN, SORTED}}
            )
            cursor.others = dict(sorted(others.items())[:NAMED])
            cursor.passed = self._passed(delivery)
        self.landing.discard(path for path in self.landing.files(self.type) if path.name not in cursor.files)
        cursor.late = self._late(delivery)
        self.sorted = set(found.get(SORTED, []))
        parts = [*own, *(unknown if self.first else []), *found.get(SORTED, [])]
        self.whole = sum(part.size for part in parts)
        being_written = self._growing(parts)
        for part in parts:
            if part.path in being_written:
                cursor.growing.append(shown(part.path, self.folder))
            elif part.key(self.folder) not in cursor.taken:
                self._take(part)
                self._tell(cursor.resources)
            else:
                self.read += part.size
        self._compare(told_of(delivery), delivery)

    def _require_same(self, parts: Iterable[DeliveryPart]) -> None:
        """Begins again where another delivery took the place of the one of which files were taken before a crash."""
        if self.cursor.taken and not {part.key(self.folder) for part in parts}.issuperset(self.cursor.taken):
            self.cursor, self.together = FilesCursor(began=self.cursor.began), None

    def _late(self, delivery: Delivery) -> datetime | None:
        hours = self.settings.every_hours if self.settings else None
        written = max((_written(path) for path in delivery.files), default=None)
        if hours is None or written is None:
            return None
        return written if self.source.clock() - written > timedelta(hours=hours) else None

    def _growing(self, parts: list[DeliveryPart]) -> set[Path]:
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

    def _passed(self, delivery: Delivery) -> str:
        """What is nobody's: no type is refused for it."""
        found = [
            shown(path, self.folder)
            for path in sorted(set(delivery.others) - set(delivery.refused))
            if not named_type(path.name, self.types) and not is_packed(path.name)
        ]
        return ", ".join(found[:NAMED]) + (f" and {len(found) - NAMED} more" if len(found) > NAMED else "")

    def _take(self, part: DeliveryPart) -> None:
        cursor, kind = self.cursor, self.type if self._is_named(part) else ""
        meter = Meter(cap=self.limits.line_bytes, most=self.limits.file_bytes, kind=kind)
        before, small, target = _looks(part.path), None, None
        self.sum, self.meter = 0, meter
        try:
            with share(part.path):
                head, rest = self._opened(part, meter)
                if rest is None and not meter.truncated:
                    small = head
                else:
                    self._close_together()
                    target = self.landing.path(self.type, len(cursor.files) + 1)
                    self._copy(part, target, meter, head, rest)
        except NotPlain:
            cursor.refused.append(shown(part.path, self.folder))
        except (TooLarge, UnreadableZip) as exc:
            cursor.refused.append(f"{shown(part.path, self.folder)} ({exc})")
        except NotUtf8 as exc:
            cursor.refused.append(f"{shown(part.path, self.folder)} ({exc.encoding}, not UTF-8)")
        else:
            if _looks(part.path) != before:
                cursor.growing.append(shown(part.path, self.folder))
                self.landing.discard([target] if target else [])
                return
            self._note(part, meter)
            cursor.senseless += self._is_senseless(part)
            self._land(part, target, small, meter)
            if (self.together and self.together.is_much) or time.monotonic() - self.saved > SAVED_EVERY:
                self._save()

    def _is_senseless(self, part: DeliveryPart) -> bool:
        """Whether a file that is named after the type holds nothing of FHIR."""
        return self._is_named(part) and holds_no_resource(part, self.folder, cap=self.limits.line_bytes)

    def _is_named(self, part: DeliveryPart) -> bool:
        return named_type(part.name, self.types) == self.type

    def _opened(self, part: DeliveryPart, meter: Meter) -> tuple[list[bytes], Iterator[bytes] | None]:
        """What a part begins with, and what comes behind; None where that is all of it, and little."""
        if part.size > SMALL:
            return [], iter(())
        found, size = self._unpacked(part, meter), 0
        head: list[bytes] = []
        for block in found:
            head.append(block)
            size += len(block)
            if size > SMALL_UNPACKED:
                return head, found
        return head, None

    def _land(self, part: DeliveryPart, target: Path | None, small: list[bytes] | None, meter: Meter) -> None:
        """Counts a part's file with those of the landing, or adds it to those that are landed together."""
        cursor = self.cursor
        if part in self.sorted and not meter.bytes:
            self.landing.discard([target] if target else [])
        elif target is not None:
            cursor.files.append(target.name)
        elif small is not None:
            self._take_together(small)

    def _take_together(self, blocks: list[bytes]) -> None:
        cursor = self.cursor
        if self.together is not None and self.together.is_full:
            self._close_together()
        if self.together is None:
            path = self.landing.path(self.type, len(cursor.files) + 1)
            self.together = Together(self.landing, path, 0)
            cursor.files.append(path.name)
        self.together.add(blocks)

    def _close_together(self) -> None:
        """What comes next stands in a file behind it: of equals the last counts."""
        if self.together is not None:
            self.together.settle()
        self.together = None

    def _note(self, part: DeliveryPart, meter: Meter) -> None:
        cursor, key = self.cursor, part.key(self.folder)
        cursor.taken.append(key)
        cursor.sums.append(f"{key}:{self.sum:08x}")
        cursor.delivered = cursor.delivered or part not in self.sorted or meter.lines > 0
        self.lines[part.path] = self.lines.get(part.path, 0) + meter.lines
        cursor.resources += meter.lines
        cursor.bytes += meter.bytes
        cursor.broken += meter.truncated
        cursor.newest = newest(cursor.newest, meter.newest)
        if meter.bytes or part not in self.sorted:
            cursor.written = newest(cursor.written, _written(part.path))

    def _unpacked(self, part: DeliveryPart, meter: Meter) -> Iterator[bytes]:
        source = self._own(part, meter) if part in self.sorted else self._blocks(part)
        return self._summed(meter.through(source, not_after=self.cursor.began))

    def _copy(
        self, part: DeliveryPart, target: Path, meter: Meter, head: list[bytes], rest: Iterator[bytes] | None
    ) -> None:
        """A file of its own; `head`: what of it was read already."""
        began = self.cursor.began
        if head or rest is None:
            self.landing.write(target, chain(head, rest or ()))
            return
        if part in self.sorted:
            self.landing.write(target, self._unpacked(part, meter))
            return
        packed = self._blocks(part)
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

    def _blocks(self, part: DeliveryPart) -> Iterator[bytes]:
        """Its bytes; of a large one it is told on the way how far it is."""
        for block in part.blocks(self.folder):
            self.read += len(block)
            yield block
            if self.read - self.told > TOLD_EVERY:
                self._tell(self.cursor.resources + self.meter.lines)

    def _tell(self, came: int) -> None:
        """How many came, and how many there will be by the share of the delivery's bytes."""
        self.told = self.read
        self.progress(self.type, came, max(came, came * self.whole // self.read) if self.read else None)

    def _own(self, part: DeliveryPart, meter: Meter) -> Iterator[bytes]:
        """The resources of this type; a line that is none comes with the first type."""
        cursor = self.cursor
        for found in text_batches(self._blocks(part), cap=self.limits.line_bytes, name=part.name):
            if isinstance(found, Reason):
                self._judge(found, meter)
                continue
            for line, kind in each_resource(found):
                if kind == self.type or (not kind and self.first):
                    yield line + b"\n"
                elif self.first and kind not in self.wanted:
                    cursor.unwanted[plain_type(kind)] = cursor.unwanted.get(plain_type(kind), 0) + 1

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
        self.cursor.together = None if self.together is None else self.together.settle()
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
    if cursor.senseless:
        reason = f"{name}: none of the first lines of {cursor.senseless} of {len(cursor.taken)} files is a FHIR resource in JSON"
        yield Shortfall(name, GapCause.FILE_NOT_READ, reason)
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
        said.append(f"files of types that the site is not read for: {unread(cursor.others)}")
    if cursor.passed:
        said.append(f"passed over, for they hold no FHIR: {cursor.passed}")
    return said + [
        f"{count} lines are {kind}, which is not mapped{need(kind)}" for kind, count in cursor.unwanted.items()
    ]
