"""A disk without room, for a command of its own: a real one where this user may mount one, else what the system says of one."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

FullDisk = Callable[[Path, MutableMapping[str, str]], AbstractContextManager[Callable[[], None]]]
"""A disk that is to be without room, the environment of who writes there → what makes room."""
FILLER = "filler"
REFUSING = """
import errno, os, sqlite3
FOLDER, FILLER = os.environ["FULL_DISK"], os.path.join(os.environ["FULL_DISK"], "filler")
real_write, real_connect = os.write, sqlite3.connect

def is_full(path):
    return os.path.realpath(path).startswith(FOLDER + os.sep) and os.path.exists(FILLER)

def write(number, data):
    if is_full(f"/proc/self/fd/{number}"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return real_write(number, data)

def connect(database, *args, **kwargs):
    connection = real_connect(database, *args, **kwargs)
    if is_full(str(database).removeprefix("file:").partition("?")[0]):
        connection.execute("PRAGMA max_page_count = 1")  # from here on it says what it says of a disk without room
    return connection

os.write, sqlite3.connect, sqlite3.dbapi2.connect = write, connect, connect
"""
"""A `sitecustomize`: Python runs it before the command."""


@contextmanager
def mounted(folder: Path, environment: MutableMapping[str, str]) -> Iterator[Callable[[], None]]:
    """A small disk without room; gives what makes room. Skips where this user may mount none."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk may be mounted here; the same is played without one")
    try:
        filler = folder / FILLER
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        yield filler.unlink
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def refused(folder: Path, environment: MutableMapping[str, str]) -> Iterator[Callable[[], None]]:
    """The same of a folder, by what commands of this environment are told when they write there."""
    folder.mkdir()
    (folder / FILLER).touch()
    ours = folder.with_name(f"{folder.name}-refuses")
    ours.mkdir()
    (ours / "sitecustomize.py").write_text(REFUSING)
    before = environment.get("PYTHONPATH")
    environment |= {
        "FULL_DISK": os.path.realpath(folder),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ours), before))),
    }
    yield (folder / FILLER).unlink
