"""A terminal of 80 columns and somebody at it who answers questions: the real command behind a pseudo-terminal."""

import os
import pty
import re
import select
import struct
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from fcntl import ioctl
from pathlib import Path

MAINSTEM = Path(sys.executable).with_name("mainstem")


def played(
    words: Sequence[str],
    answers: Sequence[tuple[str, str]],
    *,
    folder: Path,
    environment: Mapping[str, str],
    seconds: float = 90,
) -> tuple[int, str]:
    """Exit code and all that stood on the screen; each answer is typed when the words before it stand there."""
    process, screen = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.execve(MAINSTEM, [str(MAINSTEM), *words], {**environment, "TERM": "xterm"})
    ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    seen, waiting, ends = b"", list(answers), time.monotonic() + seconds
    answered = 0
    while time.monotonic() < ends:
        if waiting and waiting[0][0].encode() in seen[answered:]:
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
    _, status = os.waitpid(process, 0)
    os.close(screen)
    assert not waiting, f"never asked {waiting[0][0]!r}; the screen: {seen.decode()}"
    return os.waitstatus_to_exitcode(status), re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode()).replace("\r\n", "\n")
