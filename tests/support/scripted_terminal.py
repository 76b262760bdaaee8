"""A terminal of 80 columns and somebody at it who answers questions: the real command behind a pseudo-terminal."""

import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from fcntl import ioctl
from pathlib import Path

MAINSTEM = Path(sys.executable).with_name("mainstem")


SECONDS = 90
"""Whatever takes longer is killed."""


def played(
    words: Sequence[str], answers: Sequence[tuple[str, str]], *, folder: Path, environment: Mapping[str, str]
) -> tuple[int, str]:
    """Exit code and all that stood on the screen; each answer is typed when the question stands there whole."""
    code, written = wrote(words, answers, folder, environment)
    return code, stands_there(written)


def wrote(
    words: Sequence[str], answers: Sequence[tuple[str, str]], folder: Path, environment: Mapping[str, str]
) -> tuple[int, str]:
    """The same, with all that steers a terminal."""
    process, screen = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.execve(MAINSTEM, [str(MAINSTEM), *words], {**environment, "TERM": "xterm"})
    ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    seen, waiting, ends = b"", list(answers), time.monotonic() + SECONDS
    answered = 0
    while time.monotonic() < ends:
        if waiting and waiting[0][0].encode() in seen[answered:] and seen.endswith(b": "):
            answered = len(seen)
            os.write(screen, waiting.pop(0)[1].encode() + b"\n")
        if not select.select([screen], [], [], 0.2)[0]:
            continue
        try:
            block = os.read(screen, 65536)
        except OSError:
            break
        if not block:
            break
        seen += block
    if time.monotonic() >= ends:
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    os.close(screen)
    assert not waiting, f"never asked {waiting[0][0]!r}; the screen: {seen.decode()}"
    return os.waitstatus_to_exitcode(status), seen.decode()


def stands_there(written: str) -> str:
    """What a person reads at the end: what was drawn over is gone, as bars are that were moved and erased."""
    lines, row, column = [""], 0, 0
    for piece in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", written):
        if piece == "\n":
            row, lines = row + 1, lines if row + 1 < len(lines) else [*lines, ""]
        elif piece == "\r":
            column = 0
        elif not piece.startswith("\x1b"):
            line = lines[row].ljust(column)
            lines[row], column = line[:column] + piece + line[column + len(piece) :], column + len(piece)
        elif piece.endswith("A"):
            row = max(0, row - int(piece[2:-1] or 1))
        elif piece.endswith("K"):
            lines[row] = "" if piece == "\x1b[2K" else lines[row][:column]
    return "\n".join(lines)
