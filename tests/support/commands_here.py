"""`mainstem` in the process of the tests: what a process of its own would answer, without its second and more of imports."""

import os
import subprocess
import sys
import unittest.mock
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import structlog

from mainstem.commands import main
from mainstem.config.logs import configure


def run_here(*words: str | Path, folder: Path, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """With these words, in a folder, with this environment and no other."""
    with (
        TemporaryDirectory() as kept,
        pytest.MonkeyPatch.context() as patch,
        unittest.mock.patch.dict(os.environ, environment, clear=True),
    ):
        patch.chdir(folder)
        streams = [(name, Path(kept, name)) for name in ("stdout", "stderr")]
        for name, path in streams:
            patch.setattr(sys, name, path.open("w", encoding="utf-8"))
        code = code_of(patch, *map(str, words))
        quiet_again()
        for name, _ in streams:
            getattr(sys, name).close()  # a command may have closed it, as the last that it does
        return subprocess.CompletedProcess(words, code, *(path.read_text("utf-8") for _, path in streams))


def code_of(patch: pytest.MonkeyPatch, *words: str) -> int:
    """What the command ends with; the process is as it was before."""
    patch.setattr("sys.argv", ["mainstem", *words])
    patch.setattr("sys.excepthook", sys.excepthook)
    mask = os.umask(0o022)
    os.umask(mask)
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    finally:
        os.umask(mask)
    return 0


def quiet_again() -> None:
    """A command sets up the logs of the whole process."""
    if structlog.is_configured():
        configure("none")
        structlog.reset_defaults()
