"""`make audit`: a known vulnerability fails, a way to the advisories that is missing is said and passes."""

import importlib.util
import json
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", REPOSITORY / "requirements" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answering(monkeypatch: pytest.MonkeyPatch, code: int, out: str = "", err: str = "") -> list[Any]:
    asked: list[Any] = []

    def run(command: list[Any], **_: Any) -> "subprocess.CompletedProcess[str]":
        asked.append(command)
        return subprocess.CompletedProcess(command, code, out, err)

    monkeypatch.setattr(subprocess, "run", run)
    return asked


def test_a_known_vulnerability_is_named_and_fails(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the version that mends it; each lock is asked about."""
    vulnerable = {"name": "left", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
    unasked = {"name": "own", "skip_reason": "not found"}
    asked = answering(monkeypatch, 1, json.dumps({"dependencies": [vulnerable, unasked]}))
    assert audit.main() == 1
    said = capsys.readouterr().out
    assert "left 1.0: PYSEC-1, mended in 1.1" in said
    assert "1 of 2 packages audited" in said
    assert {Path(command[-1]).name for command in asked} == {
        path.name for path in (REPOSITORY / "requirements").glob("*.txt")
    }


def test_clean_locks_pass(audit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing known."""
    answering(monkeypatch, 0, json.dumps({"dependencies": [{"name": "left", "version": "1.0", "vulns": []}]}))
    assert audit.main() == 0


def test_without_a_way_to_the_advisories_it_says_so_and_passes(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hospital's machine often has none."""
    answering(monkeypatch, 1, "", "ERROR:pip_audit._cli:Could not connect to the vulnerability feed")
    assert audit.main() == 0
    assert "dev.txt: not audited" in capsys.readouterr().out


def test_without_pip_audit_it_says_how_to_get_it(audit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence would look like a clean bill."""
    answering(monkeypatch, 1, "", "No module named pip_audit")
    with pytest.raises(SystemExit, match="make setup-dev"):
        audit.main()
