"""`mainstem views`: who saw whom, and that a log which was changed is found."""

import json
from pathlib import Path

import pytest
from services_story import NOW
from sqlalchemy import text
from typer.testing import CliRunner, Result
from viewers import viewer

from mainstem.commands import app
from services.access.database import AccessDatabase
from services.access.viewers import Role
from services.access.views import Views


@pytest.fixture
def kept(tmp_path: Path) -> AccessDatabase:
    """Two views of ada, one of ben."""
    database = AccessDatabase.open(f"sqlite:///{tmp_path}/access.db")
    views = Views(database, lambda: NOW)
    views.note("shown", viewer(Role.CLINICIAN, "west"), "/patients/{site}", site="west", subjects=["s-ada", "s-ben"])
    views.note("asked", viewer(Role.CLINICIAN, "west"), "/patients/{site}/{subject}", site="west", subjects=["s-ada"])
    views.note("entered", viewer(), "/login/back")
    return database


def mainstem(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(
        app, ["views", *words], env={"MAINSTEM_ACCESS_URL": f"sqlite:///{folder}/access.db", "COLUMNS": "200"}
    )


def test_who_saw_a_person_is_told(kept: AccessDatabase, tmp_path: Path) -> None:
    """By person, by viewer, from a day on."""
    found = json.loads(mainstem(tmp_path, "list", "--subject", "s-ben", "--json").stdout)
    assert [(row["number"], row["route"]) for row in found] == [(1, "/patients/{site}")]
    by = json.loads(mainstem(tmp_path, "list", "--viewer", viewer().id, "--json").stdout)
    assert [row["what"] for row in by] == ["entered"]
    assert json.loads(mainstem(tmp_path, "list", "--since", "2026-11-21", "--json").stdout) == []
    assert "/patients/{site}/{subject}" in mainstem(tmp_path, "list").stdout


def test_a_log_that_was_changed_is_found(kept: AccessDatabase, tmp_path: Path) -> None:
    """The row is named."""
    whole = mainstem(tmp_path, "verify")
    assert (whole.exit_code, "3 rows" in whole.output) == (0, True)
    with kept.engine.begin() as connection:
        connection.execute(text("drop trigger access_view_no_update"))
        connection.execute(text("update access_view set subjects = '[]' where number = 1"))
    broken = mainstem(tmp_path, "verify")
    assert (broken.exit_code, "row 1 is not as it was written" in broken.output) == (3, True)
