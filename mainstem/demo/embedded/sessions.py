"""A process with all that it started, ended as one."""

import contextlib
import os
import signal
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil


GRACE_SECONDS = 10.0
"""How long a process may take to stop by itself before it is killed."""


def session_members(leader: int) -> list[int]:
    """The living processes of a session: its leader, and what the leader started that made no session of its own."""
    import psutil

    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process.pid)
    return members


def end_session(leader: int, *, stop_signal: int = signal.SIGTERM, grace: float = GRACE_SECONDS) -> None:
    """End a session, then its leader's descendants elsewhere: by the signal, after `grace` seconds by SIGKILL."""
    import psutil

    descendants = []
    with contextlib.suppress(psutil.Error):
        descendants = psutil.Process(leader).children(recursive=True)
    members = _processes(session_members(leader))
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, stop_signal)
    psutil.wait_procs(members, timeout=grace)
    rest = {process.pid: process for process in [*descendants, *_processes(session_members(leader))]}
    for step, seconds in (("terminate", 1), ("kill", 3)):
        for process in rest.values():
            with contextlib.suppress(psutil.Error):
                getattr(process, step)()
        psutil.wait_procs(list(rest.values()), timeout=seconds)


def _processes(pids: Iterable[int]) -> "list[psutil.Process]":
    import psutil

    found = []
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            found.append(psutil.Process(pid))
    return found
