"""One table of steps: what a run does, what its help says and what a DAG draws are the same."""

import ast
from pathlib import Path

from interleaved import Dag
from typer.testing import CliRunner

from mainstem.commands import app
from mainstem.refresh import STEPS

NAMES = ["plan", *(step.name for step in STEPS)]


def test_the_steps_are_the_same_wherever_they_are_named() -> None:
    """`derive` was missing from the help for as long as it stood."""
    said = " ".join(CliRunner().invoke(app, ["run", "--help"]).stdout.split())
    assert f"{', '.join(NAMES)}." in said
    opening = ast.get_docstring(ast.parse(Path("dags/site_dag.py").read_text()))
    assert opening is not None
    assert " → ".join(["preflight", *NAMES, "report"]) in opening
    assert [work.__name__.removeprefix("task_") for work, _ in Dag.STAGES] == NAMES
