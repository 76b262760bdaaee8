"""Logs of the processes that a command starts: as the command logs, on standard error alone."""

import json
import os
import subprocess
import sys

import pytest

CHILD = """
import multiprocessing

def work(form):
    from mainstem.config import logs
    import structlog
    logs.configure(form)
    structlog.get_logger().warning("waiting for the broker", cause="away")

if __name__ == "__main__":
    import mainstem.commands as commands
    from mainstem.config import logs
    commands._configure(log_format={form!r})
    process = multiprocessing.get_context("spawn").Process(target=work, args=(logs.chosen(),))
    process.start()
    process.join()
"""


@pytest.mark.parametrize(("form", "lines"), [("none", 0), ("text", 1), ("json", 1)])
def test_a_process_that_a_command_starts_logs_as_the_command_does(form: str, lines: int, tmp_path) -> None:
    """Without a format raw lines of a library's own stood among what the command said; with one in another form."""
    script = tmp_path / "child.py"
    script.write_text(CHILD.format(form=form))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120, env=environment, check=True
    )
    assert done.stdout == ""
    said = done.stderr.splitlines()
    assert len(said) == lines, done.stderr
    if form == "json":
        assert json.loads(said[0])["cause"] == "away"
