"""Any command as a process of ours, and what the embedded parts share."""

import contextlib
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from mainstem.demo.embedded.pid_files import PidFile
from mainstem.demo.embedded.sessions import end_session
from mainstem.demo.embedded.watchman import watched
from schemas.errors import MainstemError, OperatorError, TemporaryError


class Running:
    """One command as a process in a session of its own, its output in `<state>/logs/<name>.log`."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        state: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stop_signal: int = signal.SIGTERM,
        user: tuple[int, int] | None = None,
    ) -> None:
        self.name, self.command, self.state = name, list(command), state
        self.env, self.cwd, self.stop_signal, self.user = env, cwd, stop_signal, user
        self.log = state / "logs" / f"{name}.log"
        self._pid_file = PidFile(state / "pids" / f"{name}.json")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the session's leader."""
        if self._process is None:
            raise MainstemError(f"{self.name} has not been started.", "This is a defect; please report it.")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while it runs."""
        return None if self._process is None else self._process.poll()

    def start(self) -> Self:
        """Start the process; an older one of this name and state folder is ended first."""
        if left := self._pid_file.leftover():
            end_session(left[0], stop_signal=left[1])
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._process = self._popen(log)
        watched(f"+ {self._process.pid} {int(self.stop_signal)}")
        self._pid_file.write(self._process.pid, self.command, int(self.stop_signal))
        return self

    def _popen(self, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        who: dict[str, Any] = (
            {} if self.user is None else {"user": self.user[0], "group": self.user[1], "extra_groups": []}
        )
        try:
            return subprocess.Popen(
                self.command,
                env=None if self.env is None else dict(self.env),
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **who,
            )
        except OSError as exc:
            raise OperatorError(
                f"{self.name} cannot be started: {exc.strerror} ({Path(self.command[0]).name}).",
                "`make setup` installs it.",
            ) from exc

    def wait_until(self, ready: Callable[[], bool], seconds: float, what: str = "answer") -> None:
        """Wait until `ready()`; raises OperatorError with the log's place if it ends before or takes too long."""
        deadline = time.monotonic() + seconds
        pause = 0.02
        while not ready():
            if self.exit_code is not None:
                raise OperatorError(
                    f"{self.name} ended at its start with exit code {self.exit_code}.", f"Its output is in {self.log}"
                )
            if time.monotonic() > deadline:
                raise TemporaryError(
                    f"{self.name} did not {what} within {seconds:.0f} s.", f"Its output is in {self.log}"
                )
            time.sleep(pause)
            pause = min(0.5, pause * 1.3)

    def close(self) -> None:
        """End the process and everything it started; does nothing if it never ran."""
        if self._process is None:
            return
        end_session(self._process.pid, stop_signal=self.stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        watched(f"- {self._process.pid}")
        self._pid_file.remove()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class EmbeddedPart(ABC):
    """What the embedded parts share: opened by `with`, closed with the process they run."""

    @abstractmethod
    def start(self) -> Self:
        """Start it and wait until it answers."""

    @abstractmethod
    def close(self) -> None:
        """Stop it."""

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
