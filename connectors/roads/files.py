"""The road of files: a folder that the site delivers NDJSON into, copied compressed into the landing.

A file that breaks off keeps its good lines, and its type is reported incomplete.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path

import msgspec

from connectors.formats.gzip import file_blocks, is_gzip
from connectors.formats.meter import Meter
from connectors.formats.ndjson import find_files, read_lines
from connectors.outside.times import newest
from connectors.pulled import Pulled
from connectors.source import Source, Wanted
from schemas.errors import OperatorError

UNKNOWN = "?"
"""Type of a file that neither its name nor its first lines tell."""
FIRST_LINES = 10


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
    done: bool = False


class _Kind(msgspec.Struct):
    resourceType: str = ""


_KIND = msgspec.json.Decoder(_Kind)


def files_by_type(folder: Path, types: list[str], *, cap: int) -> dict[str, list[Path]]:
    """The folder's NDJSON files by resource type, of other types too; UNKNOWN where it cannot be told.

    A file is named after its type (`Observation.ndjson`, `Observation.000.ndjson.gz`, `1.Observation.ndjson`), else its
    first lines tell. Empty files are left out.
    """
    if not folder.is_dir():
        raise OperatorError(
            f"files.folder: no such folder: {folder}", "Correct the path; check that the share is mounted."
        )
    found: dict[str, list[Path]] = {}
    with _share(folder):
        for path in find_files(folder):
            if path.stat().st_size:
                found.setdefault(_type_of(path, types, cap), []).append(path)
    return found


def _type_of(path: Path, types: list[str], cap: int) -> str:
    named = {word for word in re.split(r"[^A-Za-z]+", path.name) if word in types}
    return named.pop() if len(named) == 1 else first_type(path, cap=cap)


def first_type(path: Path, *, cap: int) -> str:
    """resourceType of the first line that has one; UNKNOWN where none of the first ten does."""
    with _share(path):
        lines = list(islice(read_lines(path, cap=cap), FIRST_LINES))
    return next((kind for line in lines if isinstance(line, bytes) and (kind := _kind(line))), UNKNOWN)


def _kind(line: bytes) -> str:
    try:
        return _KIND.decode(line).resourceType
    except msgspec.DecodeError:
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
    return _Delivery(source, wanted).run()


class _Delivery:
    """The files of one type, with their cursor."""

    def __init__(self, source: Source, wanted: Wanted) -> None:
        self.folder, self.types, self.cap = source.files, source.site.types, source.site.limits.line_bytes
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
        found = files_by_type(self.folder, list(self.types), cap=self.cap)
        unknown = found.get(UNKNOWN, [])
        self.cursor.unknown = len(unknown)
        paths = [*found.get(self.type, []), *(unknown if self.type == self.types[0] else [])]
        return [path for path in paths if self._name(path) not in self.cursor.taken]

    def _take(self, path: Path) -> None:
        cursor, meter = self.cursor, Meter(cap=self.cap)
        target = self.landing.path(self.type, len(cursor.files) + 1)
        with _share(path):
            self._copy(path, target, meter)
        cursor.taken.append(self._name(path))
        cursor.files.append(target.name)
        cursor.resources += meter.lines
        cursor.bytes += meter.bytes
        cursor.broken += meter.truncated
        cursor.newest = newest(cursor.newest, meter.newest)
        self._save()

    def _copy(self, path: Path, target: Path, meter: Meter) -> None:
        if is_gzip(path):
            self.landing.copy(target, _measured_as_is(path, meter, self.cursor.began))
        else:
            self.landing.write(target, meter.through(file_blocks(path), not_after=self.cursor.began))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _save(self) -> None:
        self.landing.save_cursor(self.type, self.cursor)


def _measured_as_is(source: Path, meter: Meter, not_after: datetime) -> Iterator[bytes]:
    """The packed bytes, while what is in them is measured: copying alone would not show a missing end."""
    packed: list[bytes] = []

    def noted() -> Iterator[bytes]:
        for block in file_blocks(source):
            packed.append(block)
            yield block

    for _ in meter.through(noted(), not_after=not_after):
        while packed:
            yield packed.pop(0)
    yield from packed


def _pulled(resource_type: str, cursor: FilesCursor) -> Pulled:
    faults = []
    if cursor.broken:
        faults.append(f"{resource_type}: {cursor.broken} of {len(cursor.taken)} files end in mid-line or mid-block")
    if cursor.unknown:
        faults.append(f"{cursor.unknown} files name no resource type, in their names or first lines")
    return Pulled(
        unit=resource_type,
        files=cursor.files,
        resources=cursor.resources,
        types={resource_type: cursor.resources},
        pages=len(cursor.files),
        bytes=cursor.bytes,
        complete=not faults,
        error="; ".join(faults),
        delivered=bool(cursor.taken),
        newest=cursor.newest,
        as_of=cursor.began,
    )
