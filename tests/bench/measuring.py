"""Running a command to its end and measuring it: seconds, processor time, peak memory, output."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

LAUNCHER = """
import json, os, subprocess, sys, time
core, out, *command = sys.argv[1:]
if core: os.sched_setaffinity(0, {int(core)})
began = time.perf_counter()
process = subprocess.Popen(command, stdout=open(out, "wb"))
_, status, usage = os.wait4(process.pid, 0)
print(json.dumps([time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, status]))
"""
"""A process of its own, because a child's peak memory begins with that of the process it was forked from."""


@dataclass
class Ran:
    """One finished command. Memory is the largest process's peak."""

    seconds: float
    cpu: float
    """Seconds of processor time, of the command and the processes it started and waited for."""
    mebibytes: float
    out: str


def measure(command: list[Any], *, core: int | None = None, env: Mapping[str, str] | None = None) -> Ran:
    """Runs a command to its end; on one core where named."""
    with tempfile.NamedTemporaryFile() as out:
        launcher = [sys.executable, "-I", "-S", "-c", LAUNCHER, "" if core is None else str(core), out.name]
        done = subprocess.run(
            [*launcher, *map(str, command)],
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            check=True,
        )
        seconds, cpu, mebibytes, status = json.loads(done.stdout)
        if status:
            raise SystemExit(f"{' '.join(map(str, command[-4:]))} failed: {done.stderr}")
        return Ran(seconds, cpu, mebibytes, Path(out.name).read_text(encoding="utf-8"))


def quickest(runs: Iterable[Ran]) -> Ran:
    """The run that was disturbed least: other work on the machine only slows down, and adds processor time."""
    ran = list(runs)
    return replace(min(ran, key=lambda each: each.seconds), cpu=min(each.cpu for each in ran))
