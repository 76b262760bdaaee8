"""The landing zone: raw FHIR written once, compressed, a folder a load. Nobody else knows how it is laid out.

A file's bytes are on the disk before the cursor that counts them; so after a crash the cursor is right, and what stands
beyond it is cut off or written over. What the disk refuses is an operator's error, on every road.
"""

import errno
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
from isal import isal_zlib

from schemas.errors import OperatorError

COMPRESSION_LEVEL = 1
"""isal's levels on one core, FHIR NDJSON, speed and ratio: 0: 637 MB/s, 5.5; 1: 778, 8.4; 2: 610, 8.5; 3: 163, 8.6."""

FILE_BYTES = 64 << 20
"""Compressed size after which a new landing file is begun."""
BOM = b"\xef\xbb\xbf"
_GZIP_WINDOW = 31
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_LOAD_FOLDER = re.compile(r"(\d{4}-\d\d-\d\dT\d\d)(\d\d)(\d\d.*)")
"""`2026-03-02T050000Z-2`: a load's start without its colons, which some shares do not take."""
_NUMBERED = re.compile(r"(?!OperationOutcome)([A-Z]\w+)(-\w+)?-\d{4,}\.ndjson\.gz")
"""`Observation-0001`; also what came with another type (`Medication-MedicationRequest-0001`) or by reads."""
TOGETHER_BYTES = 4 << 20
"""Small files held in memory before they are written together: to wait for the disk for each would take most of the time."""
SETTLE_SECONDS = 0.2
"""Pages that come within such a time wait for the disk together: less is lost by a crash than one slow page costs."""
WAITING_BYTES = 64 << 20
"""Unusable lines held in memory before they are written: one may be as long as a line may be."""
T = TypeVar("T", bound=msgspec.Struct)


class DiskError(OperatorError):
    """What the disk refuses; nothing of what is read is to blame."""


class LandingZone:
    """What one site's loads landed."""

    def __init__(self, root: Path, site: str) -> None:
        self._folder = root / site
        self._site = site

    def of(self, load_id: str) -> "Landing":
        """A load's folder: `north/2026-03-02T05:00:00Z` is `<root>/north/2026-03-02T050000Z`."""
        folder = self._folder / load_id.partition("/")[2].replace(":", "")
        return Landing(folder, above=(self._folder.parent, self._folder))

    def loads(self) -> list[tuple[str, "Landing"]]:
        """Every load of which something is kept, the newest first."""
        with _disk(self._folder):
            found = sorted(self._loads(), reverse=True)
        return [(load_id, Landing(folder)) for folder, load_id in found]

    def tidy(self, *, keep: int, needed: Callable[[str], bool]) -> None:
        """Removes what all but the latest `keep` loads landed, quarantined lines only of loads that are not `needed`.

        A load that mapped what others had landed has nothing but such lines, and takes no other's place.
        """
        with _disk(self._folder):
            loads = sorted((folder, name) for folder, name in self._loads())
            landed = [folder for folder, _ in loads if Landing(folder).holds_more()]
            for folder, load_id in loads:
                if folder in landed[-keep:] or (landed and folder > landed[-1]):
                    continue
                if needed(load_id):
                    Landing(folder).forget_resources()
                else:
                    shutil.rmtree(folder)

    def _loads(self) -> Iterator[tuple[Path, str]]:
        for folder in self._folder.iterdir() if self._folder.is_dir() else ():
            if folder.is_dir() and (started := _LOAD_FOLDER.fullmatch(folder.name)):
                yield folder, f"{self._site}/{':'.join(started.groups())}"


class Landing:
    """The folder of one load. Readable by its owner only: it holds patients' data in full."""

    def __init__(self, folder: Path, *, above: Sequence[Path] = ()) -> None:
        """`above`: the landing zone's own folders above it."""
        self.folder = folder
        self._above = above

    def open(self) -> None:
        """Make the folder where it is missing; it and the zone's folders above are closed to others where they are not."""
        _private(self.folder)
        for each in (self.folder, *self._above):
            _close_to_others(each)

    def of_site(self) -> "Landing":
        """The folder above all loads of the site, for the cursors of what outlives a load."""
        return Landing(self._above[-1]) if self._above else self

    def path(self, stem: str, number: int) -> Path:
        """The numbered file of a resource type: `Observation-0001.ndjson.gz`."""
        return self.folder / f"{stem}-{number:04d}.ndjson.gz"

    def files(self, resource_type: str) -> list[Path]:
        """The complete files holding that type, in order."""
        return sorted(self.folder.glob(f"{resource_type}-*.ndjson.gz"))

    def size(self, resource_type: str) -> int:
        """Bytes of those files."""
        with _disk(self.folder):
            return sum(path.stat().st_size for path in self.files(resource_type))

    def types(self) -> list[str]:
        """The resource types of which there are complete files."""
        with _disk(self.folder):
            found = {_NUMBERED.fullmatch(path.name) for path in self.folder.iterdir()}
        return sorted({each[1] for each in found if each})

    def holds_more(self) -> bool:
        """Whether there is anything beside lines that gave no record."""
        with _disk(self.folder):
            return any(not path.is_dir() for path in self.folder.iterdir())

    def quarantined(self) -> list[tuple[str, Path]]:
        """The files of lines that gave no record, with their resource type."""
        with _disk(self.folder):
            return [(path.name.partition(".")[0], path) for path in sorted(self.folder.glob("quarantine/*.ndjson"))]

    def quarantine(self, resource_type: str, *, at: "Kept | None" = None, most: "Kept | None" = None) -> "Quarantine":
        """Where lines of the type that gave no record are kept, at most `most`; what stands beyond `at` is cut off."""
        path = self.folder / "quarantine" / f"{resource_type}.ndjson"
        return Quarantine(path, at or Kept(0, 0), most or Kept(sys.maxsize, sys.maxsize))

    def cursor(self, unit: str, form: type[T]) -> T | None:
        """The unit's cursor; None where it was not begun, or by a version whose cursors were others: it is read anew."""
        path = self._cursor_path(unit)
        with _disk(path), suppress(msgspec.ValidationError):
            return msgspec.json.decode(path.read_bytes(), type=form) if path.exists() else None
        return None

    def save_cursor(self, unit: str, cursor: msgspec.Struct | msgspec.Raw) -> None:
        """Replace the unit's cursor in one step; it is on the disk afterwards."""
        self.copy(self._cursor_path(unit), [msgspec.json.encode(cursor)])

    def write(self, path: Path, blocks: Iterable[bytes]) -> int:
        """A whole compressed file, there only when complete; returns its size in bytes."""
        return self.copy(path, compressed(blocks))

    def copy(self, path: Path, blocks: Iterable[bytes]) -> int:
        """A whole file of bytes as they are, there only when complete; returns its size."""
        with _replacing(path) as file:
            return file.write(blocks)

    def append(self, path: Path, at: int, blocks: Iterable[bytes], *, settled: bool = True) -> int:
        """Add a gzip member at position `at`, cutting off what a crash left behind it; returns the new size."""
        with _File(path) as file:
            file.cut(at)
            return file.write(compressed(blocks), settled=settled)

    def discard(self, paths: Iterable[Path]) -> None:
        """Remove files of a pull that has to begin again."""
        for path in paths:
            with _disk(path):
                path.unlink(missing_ok=True)

    def forget_resources(self) -> None:
        """Remove all but the quarantined lines."""
        self.discard(path for path in list(self.folder.iterdir()) if not path.is_dir())

    def _cursor_path(self, unit: str) -> Path:
        return self.folder / f"cursor-{unit}.json"


class Growing:
    """Files of one unit to which pages are added, with the cursor that counts them: both on the disk after `settle`, and while
    pages come, every `SETTLE_SECONDS`. Pages that take longer to come are each there before the next is asked for.
    """

    def __init__(self, landing: Landing, unit: str) -> None:
        self._landing, self._unit = landing, unit
        self._written: set[Path] = set()
        self._cursor: msgspec.Raw | None = None
        self._settled_at = time.monotonic()

    def append(self, path: Path, at: int, blocks: Iterable[bytes]) -> int:
        """Add a gzip member at position `at`; returns the file's new size."""
        self._written.add(path)
        return self._landing.append(path, at, blocks, settled=False)

    def discard(self, paths: Sequence[Path]) -> None:
        """Remove files of a pull that has to begin again."""
        self._landing.discard(paths)
        self._written.difference_update(paths)

    def save(self, cursor: msgspec.Struct) -> None:
        """The cursor as it is now, for what has been added."""
        self._cursor = msgspec.Raw(msgspec.json.encode(cursor))
        if time.monotonic() - self._settled_at >= SETTLE_SECONDS:
            self.settle()

    def settle(self) -> None:
        """What was added is on the disk, then the cursor as it was saved last: what was added since is not counted."""
        if self._cursor is None:
            return
        for path in self._written:
            with _File(path) as file:
                file.settle()
        self._landing.save_cursor(self._unit, self._cursor)
        self._written.clear()
        self._cursor, self._settled_at = None, time.monotonic()


class InTurn:
    """Whole files one after the other, there and on the disk after `settle`, and not before: the folder is waited for once."""

    def __init__(self, landing: Landing) -> None:
        self._landing = landing
        self._waiting: list[Path] = []

    def write(self, path: Path, blocks: Iterable[bytes]) -> int:
        """A compressed file; returns its size in bytes."""
        with _unfinished(path) as part:
            with _File(part) as file:
                file.cut(0)
                size = file.write(compressed(blocks), settled=False)
            self._waiting.append(path)
        return size

    def settle(self) -> None:
        """All that was written is there."""
        for path in self._waiting:
            with _File(_part_of(path)) as file:
                file.settle()
        for path in self._waiting:
            with _disk(path):
                _part_of(path).replace(path)
        if self._waiting:
            with _disk(self._landing.folder):
                _folder_to_disk(self._landing.folder)
        self._waiting = []


class Kept(NamedTuple):
    """How much is in quarantine."""

    bytes: int
    lines: int


class Quarantine(AbstractContextManager["Quarantine"]):
    """Lines of one type and load that gave no record, one after the other; the file is made with the first.

    Bounded, so that a delivery of nothing but bad lines does not fill the disk.
    """

    def __init__(self, path: Path, at: Kept, most: Kept) -> None:
        self._path, self._most = path, most
        self._waiting: list[bytes] = []
        self._at = 0
        if path.exists():
            with _File(path) as file:
                self._at = file.cut(min(at.bytes, path.stat().st_size))
        self._kept = Kept(self._at, at.lines)

    def __exit__(self, *_: object) -> None:
        self.keep()

    def add(self, line: bytes) -> bool:
        """One more line, without its newline; False where there is no room for it."""
        kept = Kept(self._kept.bytes + len(line) + 1, self._kept.lines + 1)
        if kept.bytes > self._most.bytes or kept.lines > self._most.lines:
            return False
        self._kept = kept
        self._waiting.append(line)
        if kept.bytes - self._at > WAITING_BYTES:
            self.keep()
        return True

    def keep(self) -> Kept:
        """What was added is on the disk afterwards. Returns the place behind it, from which a crash may go on."""
        if self._waiting:
            _private(self._path.parent)
            with _File(self._path) as file:
                file.cut(self._at)
                self._at = file.write([b"\n".join(self._waiting) + b"\n"])
            self._waiting = []
        return self._kept


class Together:
    """Small files of one type in one file of the landing, in their order; on the disk after `settle`, and not before."""

    def __init__(self, landing: Landing, path: Path, size: int) -> None:
        """`size`: how much of the file is whole; what stands beyond it is cut off."""
        self._landing, self.path, self.size = landing, path, size
        self._waiting: list[bytes] = []
        self._bytes = 0

    def add(self, blocks: Sequence[bytes]) -> None:
        """One more file, whole lines of UTF-8."""
        if blocks:
            self._waiting += [blocks[0].removeprefix(BOM), *blocks[1:]]
            if not blocks[-1].endswith(b"\n"):
                self._waiting.append(b"\n")
            self._bytes += sum(map(len, blocks))

    @property
    def is_much(self) -> bool:
        """Whether as much waits as is written at once."""
        return self._bytes >= TOGETHER_BYTES

    @property
    def is_full(self) -> bool:
        """Whether the file is long enough, and another should be begun."""
        return self.size >= FILE_BYTES

    def settle(self) -> int:
        """All that was added is on the disk; returns the file's size."""
        if self._waiting:
            self.size = self._landing.append(self.path, self.size, self._waiting)
            self._waiting, self._bytes = [], 0
        return self.size


def compressed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks as one gzip member."""
    packer = isal_zlib.compressobj(COMPRESSION_LEVEL, isal_zlib.DEFLATED, _GZIP_WINDOW)
    for block in blocks:
        if packed := packer.compress(block):
            yield packed
    yield packer.flush()


class _File(AbstractContextManager["_File"]):
    """A file being written, without a buffer: so that a full disk is met in `write` and not again in closing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _disk(path):
            self._number = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def __exit__(self, *_: object) -> None:
        with _disk(self._path):  # a share may refuse as late as here
            os.close(self._number)

    def cut(self, size: int) -> int:
        """Leaves that many bytes, and writes behind them."""
        with _disk(self._path):
            os.ftruncate(self._number, size)
            return os.lseek(self._number, 0, os.SEEK_END)

    def write(self, blocks: Iterable[bytes], *, settled: bool = True) -> int:
        """The blocks, onto the disk where `settled`; returns the file's size. An error of their source's passes as it is."""
        for block in blocks:
            rest = memoryview(block)
            with _disk(self._path):
                while rest:
                    rest = rest[os.write(self._number, rest) :]
        if settled:
            self.settle()
        with _disk(self._path):
            return os.lseek(self._number, 0, os.SEEK_CUR)

    def settle(self) -> None:
        """What was written is on the disk."""
        with _disk(self._path):
            os.fsync(self._number)


@contextmanager
def _replacing(path: Path) -> Iterator[_File]:
    """A file that takes the path's place when it is whole."""
    with _unfinished(path) as part:
        with _File(part) as file:
            file.cut(0)
            yield file
        with _disk(path):
            part.replace(path)
            _folder_to_disk(path.parent)


@contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """Where a file stands until it is whole; half a one is not left to fill the disk."""
    part = _part_of(path)
    try:
        yield part
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _part_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    """What the disk refuses, in our words."""
    try:
        yield
    except OSError as exc:
        if exc.errno in _FULL:
            raise DiskError(
                f"the landing folder is full: {path.parent} takes no more ({exc.strerror})",
                "Make room there, or move MAINSTEM_LANDING to a larger disk; then run it again.",
            ) from exc
        raise DiskError(
            f"the landing folder cannot be used: {path.parent} ({exc.strerror})",
            "Check that MAINSTEM_LANDING is mounted and that this user may write there.",
        ) from exc


def _private(folder: Path) -> None:
    """The folder and those above it, where they are missing: for their owner only."""
    with _disk(folder):
        for each in (*reversed(folder.parents), folder):
            if not each.is_dir():
                each.mkdir(mode=0o700, exist_ok=True)


def _close_to_others(folder: Path) -> None:
    """As far as it can be: a share may know no rights."""
    with _disk(folder), suppress(PermissionError):
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)


def _folder_to_disk(folder: Path) -> None:
    """A rename is durable once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
