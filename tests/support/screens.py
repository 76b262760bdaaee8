"""A command as somebody at a keyboard meets it, in this process: exit code, what is printed; and a hospital with its site file."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hospital_with_faults import FaultyHospital

from mainstem.commands import main

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """Exit code, output and error output of a command, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAINSTEM_DATABASE_URL", f"sqlite:///{tmp_path}/state.db")
    monkeypatch.setenv("MAINSTEM_SITES", str(tmp_path / "sites"))
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("sys.excepthook", sys.excepthook)
    mask = os.umask(0o022)
    os.umask(mask)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["mainstem", *words])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            os.umask(mask)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def north(tmp_path: Path, faulty: FaultyHospital) -> FaultyHospital:
    """A hospital of three types, and its site file."""
    for name in ("Patient", "Condition", "Observation"):
        faulty.resources[name] = [{"resourceType": name, "id": "1", "meta": {"lastUpdated": "2026-03-01T00:00:00Z"}}]
    sites = tmp_path / "sites"
    sites.mkdir()
    (sites / "north.subject-key").write_text("0123456789abcdef" * 4)
    (sites / "north.subject-key").chmod(0o600)
    (sites / "north.toml").write_text(
        'site = "north"\nname = "North"\ntime_zone = "America/New_York"\nsubject_key = "file:north.subject-key"\n'
        f'road = "search"\ntypes = ["Patient", "Condition", "Observation"]\n[fhir]\nbase_url = "{faulty.base_url}"\n'
    )
    return faulty
