"""What a killed owner left behind is found again by pid files in the state folder."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mainstem.demo.embedded.sessions import end_session


@dataclass(frozen=True)
class PidFile:
    """What identifies a process of ours after we were killed: its pid, and when it started."""

    path: Path

    def write(self, pid: int, command: Sequence[str], stop_signal: int) -> None:
        import psutil

        try:
            started = psutil.Process(pid).create_time()
        except psutil.Error:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".new")
        draft.write_text(
            json.dumps({"pid": pid, "started": started, "signal": stop_signal, "program": Path(command[0]).name})
        )
        draft.replace(self.path)

    def leftover(self) -> tuple[int, int] | None:
        """(pid, stop signal) of a process that still runs and is the one that was written down."""
        import psutil

        try:
            noted = json.loads(self.path.read_text())
            process = psutil.Process(int(noted["pid"]))
            same = abs(process.create_time() - float(noted["started"])) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except (OSError, ValueError, KeyError, psutil.Error):
            return None
        return (process.pid, int(noted["signal"])) if same else None

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def stop_leftovers(state: Path) -> list[str]:
    """End what an interrupted run left behind in this state folder; the names of the parts that were still running."""
    stopped = []
    for path in sorted((state / "pids").glob("*.json"), reverse=True):
        file = PidFile(path)
        if left := file.leftover():
            end_session(left[0], stop_signal=left[1])
            stopped.append(path.stem)
        file.remove()
    return stopped
