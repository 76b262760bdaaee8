"""One load's landing folder: raw FHIR written once, compressed, with a cursor from which a pull goes on.

A file's bytes are on the disk before the cursor that counts them; so after a crash the cursor is right, and what stands
beyond it is cut off or written over.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec
from isal import isal_zlib

COMPRESSION_LEVEL = 1
"""isal's levels on one core, FHIR NDJSON, speed and ratio: 0: 637 MB/s, 5.5; 1: 778, 8.4; 2: 610, 8.5; 3: 163, 8.6."""

_GZIP_WINDOW = 31
T = TypeVar("T", bound=msgspec.Struct)


class Landing:
    """The folder of one load. Readable by its owner only: it holds patients' data in full."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self) -> None:
        """Make the folder where it is missing."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, stem: str, number: int) -> Path:
        """The numbered file of a resource type: `Observation-0001.ndjson.gz`."""
        return self.folder / f"{stem}-{number:04d}.ndjson.gz"

    def files(self, resource_type: str) -> list[Path]:
        """The complete files holding that type, in order."""
        return sorted(self.folder.glob(f"{resource_type}-*.ndjson.gz"))

    def cursor(self, unit: str, form: type[T]) -> T | None:
        """The unit's cursor; None where it was not begun."""
        path = self._cursor_path(unit)
        return msgspec.json.decode(path.read_bytes(), type=form) if path.exists() else None

    def save_cursor(self, unit: str, cursor: msgspec.Struct) -> None:
        """Replace the unit's cursor in one step; it is on the disk afterwards."""
        with self._replacing(self._cursor_path(unit)) as stream:
            stream.write(msgspec.json.encode(cursor))

    def write(self, path: Path, blocks: Iterable[bytes]) -> int:
        """A whole compressed file, there only when complete; returns its size in bytes."""
        with self._replacing(path) as stream:
            for packed in compressed(blocks):
                stream.write(packed)
            return stream.tell()

    def copy(self, path: Path, blocks: Iterable[bytes]) -> int:
        """A whole file of bytes as they are, there only when complete; returns its size."""
        with self._replacing(path) as stream:
            for block in blocks:
                stream.write(block)
            return stream.tell()

    def append(self, path: Path, at: int, blocks: Iterable[bytes]) -> int:
        """Add a gzip member at position `at`, cutting off what a crash left behind it; returns the new size."""
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as stream:
            stream.truncate(at)
            stream.seek(at)
            for packed in compressed(blocks):
                stream.write(packed)
            _to_disk(stream)
            return stream.tell()

    def discard(self, paths: Iterable[Path]) -> None:
        """Remove files of a pull that has to begin again."""
        for path in paths:
            path.unlink(missing_ok=True)

    def _cursor_path(self, unit: str) -> Path:
        return self.folder / f"cursor-{unit}.json"

    @contextmanager
    def _replacing(self, path: Path) -> Iterator[BinaryIO]:
        part = path.with_name(f"{path.name}.part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            yield stream
            _to_disk(stream)
        part.replace(path)
        _folder_to_disk(path.parent)


def compressed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks as one gzip member."""
    packer = isal_zlib.compressobj(COMPRESSION_LEVEL, isal_zlib.DEFLATED, _GZIP_WINDOW)
    for block in blocks:
        if packed := packer.compress(block):
            yield packed
    yield packer.flush()


def _to_disk(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _folder_to_disk(folder: Path) -> None:
    """A rename is durable once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
