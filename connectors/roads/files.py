"""The road of files: a folder that the site delivers NDJSON into, copied compressed into the landing.

A file that breaks off keeps its good lines, and its type is reported incomplete.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path

import msgspec

from connectors.formats.ndjson import GZIP_MAGIC, Meter, file_blocks, find_files, newest, read_lines
from connectors.landing import Landing
from connectors.pulled import Pulled
from schemas.errors import OperatorError
from schemas.problems import Problem
from schemas.sites import Site

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
    for path in find_files(folder):
        if path.stat().st_size:
            found.setdefault(_type_of(path, types, cap), []).append(path)
    return found


def _type_of(path: Path, types: list[str], cap: int) -> str:
    named = {word for word in re.split(r"[^A-Za-z]+", path.name) if word in types}
    return named.pop() if len(named) == 1 else first_type(path, cap=cap)


def first_type(path: Path, *, cap: int) -> str:
    """resourceType of the first line that has one; UNKNOWN where none of the first ten does."""
    for line in islice(read_lines(path, cap=cap), FIRST_LINES):
        if isinstance(line, Problem):
            continue
        try:
            kind = _KIND.decode(line).resourceType
        except msgspec.DecodeError:
            continue
        if kind:
            return kind
    return UNKNOWN


def pull_files(
    site: Site,
    resource_type: str,
    *,
    folder: Path,
    landing: Landing,
    clock: Callable[[], datetime],
    progress: Callable[[str, int], None],
) -> Pulled:
    """The files of one type, into the landing folder; file by file, so a crash goes on at the next.

    Files of no known type come with the site's first type, where their lines are counted as problems.
    """
    cursor = landing.cursor(resource_type, FilesCursor) or FilesCursor(began=clock())
    if not cursor.done:
        found = files_by_type(folder, list(site.types), cap=site.limits.line_bytes)
        unknown = found.get(UNKNOWN, [])
        cursor.unknown = len(unknown)
        sources = [*found.get(resource_type, []), *(unknown if resource_type == site.types[0] else [])]
        for source in sources:
            if source.relative_to(folder).as_posix() not in cursor.taken:
                _take(source, resource_type, folder, landing, cursor, cap=site.limits.line_bytes)
                progress(resource_type, cursor.resources)
        cursor.done = True
        landing.save_cursor(resource_type, cursor)
    return _pulled(resource_type, cursor)


def _take(source: Path, resource_type: str, folder: Path, landing: Landing, cursor: FilesCursor, *, cap: int) -> None:
    meter = Meter(cap=cap)
    target = landing.path(resource_type, len(cursor.files) + 1)
    try:
        if _is_gzip(source):
            landing.copy(target, _measured_as_is(source, meter, cursor.began))
        else:
            landing.write(target, meter.through(file_blocks(source), not_after=cursor.began))
    except OSError as exc:
        raise OperatorError(
            f"{resource_type}: {source} cannot be copied ({exc.strerror})",
            "Check permissions and the share.",
        ) from exc
    cursor.taken.append(source.relative_to(folder).as_posix())
    cursor.files.append(target.name)
    cursor.resources += meter.lines
    cursor.bytes += meter.bytes
    cursor.broken += meter.truncated
    cursor.newest = newest(cursor.newest, meter.newest)
    landing.save_cursor(resource_type, cursor)


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC


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
