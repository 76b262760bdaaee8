"""A zip archive's members, in blocks: their names are words, nothing is unpacked by them onto a disk."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple

from connectors.formats.gzip import BLOCK_BYTES, FREE_BYTES, RATIO, Bomb, TruncatedGzip

MAGIC = b"PK\x03\x04"
MOST_MEMBERS = 100_000
_ENCRYPTED = 1


class UnreadableZip(Exception):
    """It is no whole archive, or packed in a way that is not known; the message says which."""


class Member(NamedTuple):
    """One file of an archive."""

    name: str
    place: int
    """Among the members: names may stand twice."""
    size: int
    readable: bool
    """False for what is encrypted."""


def members(file: IO[bytes]) -> list[Member]:
    """The files of an archive, without folders and what systems put beside them. Raises UnreadableZip."""
    with _opened(file) as archive:
        found = archive.infolist()
        if len(found) > MOST_MEMBERS:
            raise UnreadableZip(f"more than {MOST_MEMBERS} members")
        return [
            Member(each.filename, place, each.file_size, not each.flag_bits & _ENCRYPTED)
            for place, each in enumerate(found)
            if not each.is_dir() and not _hidden(each.filename)
        ]


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) and part not in (".", "..") for part in name.split("/"))


def member_blocks(file: IO[bytes], member: Member) -> Iterator[bytes]:
    """A member's bytes. Raises UnreadableZip, Bomb where it unpacks to more than anything that was worth packing, and
    TruncatedGzip where it breaks off or is damaged."""
    with _opened(file) as archive:
        info = archive.infolist()[member.place]
        most = max(FREE_BYTES, RATIO * info.compress_size)
        unpacked = 0
        try:
            with archive.open(info) as stream:
                while block := stream.read(BLOCK_BYTES):
                    unpacked += len(block)
                    if unpacked > most:
                        raise Bomb
                    yield block
        except (NotImplementedError, RuntimeError) as exc:
            raise UnreadableZip("packed or encrypted in a way that is not known") from exc
        except (zipfile.BadZipFile, zlib.error, EOFError) as exc:
            raise TruncatedGzip from exc


@contextmanager
def _opened(file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as exc:
        raise UnreadableZip("no whole archive") from exc
    with archive:
        yield archive
