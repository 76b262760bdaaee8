"""`mainstem registry tokens`: a token for the pages is made, listed and ended like one for the API."""

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from mainstem.commands import app


def mainstem(folder: Path, *words: str) -> Result:
    settings = {"MAINSTEM_REGISTRY_URL": f"sqlite:///{folder}/registry.db", "COLUMNS": "200"}
    return CliRunner().invoke(app, ["registry", "tokens", *words], env=settings)


def test_a_token_of_a_role_is_told_once_and_ends(tmp_path: Path) -> None:
    """After 90 days where nothing is said; revoked at once."""
    secret = mainstem(tmp_path, "new", "charts", "--role", "coordinator").stdout.strip()
    assert secret.startswith("mst_")
    (row,) = json.loads(mainstem(tmp_path, "list", "--json").stdout)
    assert (row["name"], row["state"], row["role"], row["reads"]) == ("charts", "good", "coordinator", ["pages"])
    assert row["created"] < row["expires"]
    assert mainstem(tmp_path, "revoke", "charts").exit_code == 0
    listed = mainstem(tmp_path, "list").stdout
    assert "revoked" in listed
    assert secret not in listed
    assert secret.encode() not in (tmp_path / "registry.db").read_bytes()


def test_a_role_says_what_is_read(tmp_path: Path) -> None:
    """Types and kinds of reading are the API's."""
    refused = mainstem(tmp_path, "new", "charts", "--role", "coordinator", "--read", "export")
    assert (refused.exit_code, "--role says what is read" in str(refused.exception)) == (1, True)
