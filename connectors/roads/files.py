"""The road of files: a folder that the site delivers NDJSON into, copied compressed into the landing.

A file that breaks off keeps its good lines, and its type is reported incomplete.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, islice
from pathlib import Path

import msgspec

from connectors.delivery import Delivery, NotPlain, blocks, empty, look_into, name_of, require_end_marker, shown
from connectors.formats.bundles import BUNDLE, held_in
from connectors.formats.gzip import MAGIC
from connectors.formats.meter import Meter, TooLarge
from connectors.formats.ndjson import read_lines
from connectors.outside.decoding import Unreadable, decoded
from connectors.outside.file_names import is_packed
from connectors.outside.times import newest
from connectors.pulled import EVERY_TYPE, Pulled, Shortfall
from connectors.source import Source, Wanted
from schemas.errors import OperatorError
from schemas.gaps import GapCause
from schemas.outcomes import referred_types

UNKNOWN = "?"
"""Type of a file that neither its name nor its first lines tell."""
FIRST_LINES = 10
NAMED = 20
"""Refused files that are named one by one."""


class FilesCursor(msgspec.Struct, kw_only=True):
    """How far the copying of one type has come."""

    began: datetime
    taken: list[str] = []
    """Source files, below the folder."""
    files: list[str] = []
    resources: int = 0
    bytes: int = 0
    newest: datetime | None = None
    broken: int = 0
    unknown: int = 0
    refused: list[str] = []
    """What was not read, as it is shown: links, pipes, files that would fill the disk."""
    done: bool = False


class _Kind(msgspec.Struct):
    resourceType: str = ""


_KIND = msgspec.json.Decoder(_Kind)


def files_by_type(delivery: Delivery, types: list[str], *, cap: int) -> dict[str, list[Path]]:
    """A delivery's NDJSON files by resource type, of other types too; UNKNOWN where it cannot be told.

    A file is named after its type (`Observation.ndjson`, `Observation.000.ndjson.gz`, `1.Observation.ndjson`), else its
    first lines tell. Empty files are left out.
    """
    found: dict[str, list[Path]] = {}
    with _share(delivery.folder):
        for path in delivery.files:
            if path.stat(follow_symlinks=False).st_size:
                found.setdefault(_type_of(path, types, cap), []).append(path)
    return found


def _type_of(path: Path, types: list[str], cap: int) -> str:
    named = named_type(path, types)
    try:
        first = first_type(path, cap=cap)
    except OperatorError:
        if not named:
            raise
        return named  # it costs its own type, when it is read
    return first if first == BUNDLE else named or first


def delivered(source: Source) -> tuple[Delivery, dict[str, list[Path]]]:
    """What a site delivered, and its files by type. Raises MainstemError where it is nothing, or not whole."""
    delivery, types = look_into(source.files), list(source.site.types)
    if source.site.files and (marker := source.site.files.end_marker):
        require_end_marker(delivery, marker)
    found = files_by_type(delivery, types, cap=source.site.limits.line_bytes)
    readable = {*types, *referred_types(types), UNKNOWN, BUNDLE}
    if not readable.intersection(found) and not delivery.refused and not any(map(_is_packed, delivery.others)):
        raise empty(delivery.folder, _instead(delivery, found))
    return delivery, found


def _instead(delivery: Delivery, found: dict[str, list[Path]]) -> str:
    if found:
        return f"holds files of {', '.join(sorted(found))} only, none of the site's types"
    if delivery.files or delivery.others:
        return f"holds no file that is read: {len(delivery.files)} empty ones, {len(delivery.others)} of other names"
    return "is empty"


def _is_packed(path: Path) -> bool:
    return is_packed(path.name)


def named_type(path: Path, types: list[str]) -> str:
    """The one type a file is named after; empty where there is none, or several."""
    named = {word for word in re.split(r"[^A-Za-z]+", path.name) if word in types}
    return named.pop() if len(named) == 1 else ""


def first_type(path: Path, *, cap: int) -> str:
    """resourceType of the first line that has one; UNKNOWN where none of the first ten does."""
    with _share(path):
        lines = list(islice(read_lines(path, cap=cap), FIRST_LINES))
    return next((kind for line in lines if isinstance(line, bytes) and (kind := _kind(line))), UNKNOWN)


def _kind(line: bytes) -> str:
    try:
        return decoded(line, _KIND).resourceType
    except Unreadable:
        return ""


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
        self.folder, self.types, self.limits = source.files, source.site.types, source.site.limits
        self.type, self.landing, self.progress = wanted.unit, wanted.landing, wanted.progress
        self.cursor = self.landing.cursor(self.type, FilesCursor) or FilesCursor(began=source.clock())

    def run(self) -> Pulled:
        """Every file from where the cursor stands."""
        if not self.cursor.done:
            for path in self._left():
                self._take(path)
                self.progress(self.type, self.cursor.resources)
            self.cursor.done = True
            self._save()
        return _pulled(self.type, self.cursor)

    def _left(self) -> list[Path]:
        delivery = look_into(self.folder)
        found = files_by_type(delivery, list(self.types), cap=self.limits.line_bytes)
        unknown = found.get(UNKNOWN, [])
        self.cursor.unknown = len(unknown)
        self.cursor.refused = [shown(path, self.folder) for path in self._of_this_type(delivery)]
        self.bundles = set(found.get(BUNDLE, []))
        paths = [*found.get(self.type, []), *(unknown if self.type == self.types[0] else []), *sorted(self.bundles)]
        return [path for path in paths if name_of(path, self.folder) not in self.cursor.taken]

    def _of_this_type(self, delivery: Delivery) -> list[Path]:
        """What is not read and may hold the type: what is no plain file, what is named after it, packed otherwise than by gzip."""
        types = list(self.types)
        refused = [path for path in delivery.refused if named_type(path, types) in ("", self.type)]
        return refused + [
            path
            for path in delivery.others
            if (named := named_type(path, types)) == self.type or (not named and is_packed(path.name))
        ]

    def _take(self, path: Path) -> None:
        cursor, meter = self.cursor, Meter(cap=self.limits.line_bytes, most=self.limits.file_bytes)
        target = self.landing.path(self.type, len(cursor.files) + 1)
        try:
            with _share(path):
                self._copy(path, target, meter)
        except NotPlain:
            cursor.refused.append(shown(path, self.folder))
            return
        except TooLarge as exc:
            cursor.refused.append(f"{shown(path, self.folder)} ({exc})")
            return
        cursor.taken.append(name_of(path, self.folder))
        cursor.files.append(target.name)
        cursor.resources += meter.lines
        cursor.bytes += meter.bytes
        cursor.broken += meter.truncated
        cursor.newest = newest(cursor.newest, meter.newest)
        self._save()

    def _copy(self, path: Path, target: Path, meter: Meter) -> None:
        began, packed = self.cursor.began, blocks(path, self.folder)
        if path in self.bundles:
            self.landing.write(target, meter.through(self._held(path), not_after=began))
            return
        first = next(packed, b"")
        whole = chain([first], packed)
        if first.startswith(MAGIC):
            self.landing.copy(target, _measured_as_is(whole, meter, began))
        else:
            self.landing.write(target, meter.through(whole, not_after=began))

    def _held(self, path: Path) -> Iterator[bytes]:
        """The resources of this type that a file's Bundles hold; a line that is no Bundle comes with the first type."""
        for line in read_lines(path, cap=self.limits.line_bytes):
            if isinstance(line, bytes):
                for held in held_in(line):
                    kind = _kind(held)
                    if kind == self.type or (kind not in self.types and held is line and self.type == self.types[0]):
                        yield held + b"\n"

    def _save(self) -> None:
        self.landing.save_cursor(self.type, self.cursor)


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


def _pulled(resource_type: str, cursor: FilesCursor) -> Pulled:
    short = []
    if cursor.broken:
        reason = f"{resource_type}: {cursor.broken} of {len(cursor.taken)} files end in mid-line or mid-block"
        short.append(Shortfall(resource_type, GapCause.CUT, reason))
    if cursor.unknown:
        reason = f"{cursor.unknown} files name no resource type, in their names or first lines"
        short.append(Shortfall(EVERY_TYPE, GapCause.UNKNOWN_TYPE, reason))
    if cursor.refused:
        reason = (
            f"{resource_type}: {len(cursor.refused)} files were not read: links, pipes, forms other than NDJSON,"
            " or more than a file may hold"
        )
        short.append(Shortfall(resource_type, GapCause.FILE_NOT_READ, reason))
    return Pulled(
        unit=resource_type,
        files=cursor.files,
        resources=cursor.resources,
        types={resource_type: cursor.resources},
        pages=len(cursor.files),
        bytes=cursor.bytes,
        short=short,
        delivered=bool(cursor.taken),
        notes=_named(cursor.refused),
        newest=cursor.newest,
        as_of=cursor.began,
    )


def _named(refused: list[str]) -> list[str]:
    more = [f"and {len(refused) - NAMED} more files of the delivery not read"] if len(refused) > NAMED else []
    return [f"not read, no plain file of the delivery: {name}" for name in refused[:NAMED]] + more
