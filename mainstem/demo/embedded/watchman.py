"""Ends what we started, should we be killed: a process that outlives ours just that long.

It starts itself by the string in `Watchman`; nothing else imports what that names.
"""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from mainstem.demo.embedded.sessions import GRACE_SECONDS, end_session

PACKAGES = Path(__file__).parents[3]
"""Where `mainstem` can be imported from."""


class Watchman:
    """A process that outlives ours just long enough to end the sessions we started, should we be killed.

    It reads our pipe: `+ <pid> <signal>` and `- <pid>`; the end of the pipe means that we are gone.
    """

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import watch; watch()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=PACKAGES,
            start_new_session=True,
            text=True,
        )

    def tell(self, line: str) -> None:
        pipe = self.process.stdin
        if pipe is None:
            return
        with contextlib.suppress(BrokenPipeError):
            pipe.write(line + "\n")
            pipe.flush()

    def dismiss(self) -> None:
        """End of our own, orderly life: the watchman ends what is still registered and goes."""
        if os.getpid() != self.owner or self.process.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(GRACE_SECONDS + 5)


_watchman: Watchman | None = None


def watched(line: str) -> None:
    """Tells our watchman, who is started where there is none: `+ <pid> <signal>` or `- <pid>`."""
    global _watchman
    if _watchman is None or _watchman.owner != os.getpid() or _watchman.process.poll() is not None:
        _watchman = Watchman()
        atexit.register(_watchman.dismiss)
    _watchman.tell(line)


def watch() -> None:
    """The watchman's own life: remember sessions until the pipe closes, then end those that are left."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    sessions: dict[int, int] = {}
    for line in sys.stdin:
        sign, pid, *rest = line.split()
        if sign == "+":
            sessions[int(pid)] = int(rest[0])
        else:
            sessions.pop(int(pid), None)
    for pid, stop_signal in sessions.items():  # all at once: nobody waits for an orderly end any more
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, stop_signal)
    for pid, stop_signal in sessions.items():
        end_session(pid, stop_signal=stop_signal, grace=3.0)
