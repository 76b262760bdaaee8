"""A folder that somebody else delivers into: which files are in it, and what of it is not touched.

Whoever may write there may write a link to another site's delivery, or to a pipe that never ends. Only plain files below the
folder are read; what else bears an NDJSON file's name, or leads into a folder, is refused by name.
"""

import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from connectors.outside.file_names import is_beside, is_read, is_zip, on_its_way, signs, tells
from schemas.errors import OperatorError

BLOCK_BYTES = 1 << 17
SHOWN = 80
"""Letters of a name that are shown."""


class NotPlain(Exception):
    """It is no plain file in the folder, or no longer."""


@dataclass(slots=True)
class Delivery:
    """What stands in the folder, in the order of names. Hidden files and folders are left out."""

    folder: Path
    files: list[Path] = field(default_factory=list)
    refused: list[Path] = field(default_factory=list)
    """Links, pipes, devices, sockets, and folders that may not be opened."""
    others: list[Path] = field(default_factory=list)
    """Plain files whose names end otherwise than those that are read."""
    telling: list[Path] = field(default_factory=list)
    """What a bulk client wrote of the delivery: its manifest, its log."""


def look_into(folder: Path) -> Delivery:
    """Every file at any depth. Raises OperatorError where there is no such folder."""
    if not folder.is_dir():
        raise OperatorError(
            f"files.folder: no such folder: {folder}",
            "Mount the share; else the path in files.folder is wrong.",
            who="site IT",
        )
    found, waiting = Delivery(folder), [folder]
    while waiting:
        at = waiting.pop()
        try:
            with os.scandir(at) as entries:
                waiting += [Path(entry.path) for entry in entries if _sorted_in(entry, found)]
        except OSError as exc:
            if at == folder:
                raise OperatorError(
                    f"{folder} cannot be read ({exc.strerror})", "Check permissions and the share.", who="site IT"
                ) from exc
            found.refused.append(at)
    found.files.sort(key=_in_order)
    found.refused.sort()
    found.others.sort()
    return found


def _in_order(path: Path) -> tuple[Path, list[str | int], list[str | int]]:
    """By folder, then as people number files: `Observation.ndjson`, `Observation-2.ndjson`, `Observation-10.ndjson`. What stands in
    a later file is said later."""
    stem, _, ending = path.name.partition(".")
    return path.parent, _counted(stem), _counted(ending)


def _counted(text: str) -> list[str | int]:
    """Text and numbers in turns."""
    return [int(part) if part.isdecimal() else part for part in re.split("([0-9]+)", text)]


def _sorted_in(entry: "os.DirEntry[str]", found: Delivery) -> bool:
    """Whether it is a folder to look into; all else is put where it belongs."""
    if entry.name.startswith("."):
        if on_its_way(entry.name):
            found.refused.append(Path(entry.path))
        return False
    if entry.is_dir(follow_symlinks=False):
        return True
    fits = is_read(entry.name) or is_zip(entry.name)
    if tells(entry.name) and entry.is_file(follow_symlinks=False):
        found.telling.append(Path(entry.path))
    elif fits and entry.is_file(follow_symlinks=False):
        found.files.append(Path(entry.path))
    elif fits or (entry.is_symlink() and Path(entry.path).is_dir()):
        found.refused.append(Path(entry.path))
    elif entry.is_file(follow_symlinks=False) and not (is_beside(entry.name) or _is_signature(Path(entry.path))):
        found.others.append(Path(entry.path))
    return False


def _is_signature(path: Path) -> bool:
    """Whether it signs a file that stands beside it."""
    signed = signs(path.name)
    return bool(signed) and path.with_name(signed).is_file()


def opened(path: Path, folder: Path) -> IO[bytes]:
    """A file, to be closed. Raises NotPlain where it has become something else since it was looked at."""
    return os.fdopen(_opened(path, folder), "rb", buffering=0)


def blocks(path: Path, folder: Path) -> Iterator[bytes]:
    """A file's bytes as they are. Raises NotPlain as `opened` does."""
    with opened(path, folder) as stream:
        while block := stream.read(BLOCK_BYTES):
            yield block


def name_of(path: Path, folder: Path) -> str:
    """The name below the folder in plain letters, another for each file: it is somebody else's word, and any bytes."""
    return json.dumps(path.relative_to(folder).as_posix())[1:-1]


def shown(path: Path, folder: Path) -> str:
    """As much of it as a report has room for."""
    name = name_of(path, folder)
    return name if len(name) <= SHOWN else f"…{name[-SHOWN:]}"


def _opened(path: Path, folder: Path) -> int:
    """Never waits for a pipe's other end, follows no link."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as exc:
        if path.is_symlink():
            raise NotPlain from exc
        raise
    is_plain = stat.S_ISREG(os.fstat(number).st_mode)
    if not is_plain or not path.parent.resolve().is_relative_to(folder.resolve()):
        os.close(number)
        raise NotPlain
    return number
