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
from typing import NoReturn

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


def forked(
    words: Sequence[str], answers: Sequence[tuple[str, str]], *, folder: Path, environment: Mapping[str, str]
) -> tuple[int, str]:
    """The same in a copy of this process, which has the command's imports already; an answer is typed as it is, without a line's
    end: `\\x03` is Ctrl-C, `\\x04` the end of what is typed, and an empty one closes the terminal."""
    process, screen = pty.fork()
    if process == 0:
        _become(words, folder, environment)
    seen, answered, waiting, typed, ends = b"", 0, list(answers), b"", time.monotonic() + SECONDS
    while time.monotonic() < ends:
        if not select.select([screen], [], [], 0.5)[0]:
            if typed[:1] == b"\x03":  # pressed again: one that comes just before the question waits is not seen
                os.write(screen, typed)
            continue
        try:
            seen += os.read(screen, 65536)
        except OSError:
            break
        if waiting and waiting[0][0].encode() in seen[answered:] and seen.endswith(b": "):
            answered, typed = len(seen), waiting.pop(0)[1].encode()
            if not typed:
                break
            time.sleep(0.02)
            os.write(screen, typed)
    os.close(screen)  # closes the terminal
    _, status = os.waitpid(process, 0)
    assert not waiting, f"never asked {waiting[0][0]!r}; the screen: {seen.decode()}"
    return os.waitstatus_to_exitcode(status), stands_there(seen.decode())


def _become(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> NoReturn:
    """The command, in a process that was this one; it never returns into the test."""
    code = 99
    try:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = ["mainstem", *words]
        sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115 - the process's own
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        from mainstem.commands import main

        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
