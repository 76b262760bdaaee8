"""A probe is a file of the room, found by its name, and looked at behind the one that it needs."""

from pathlib import Path
from typing import Any

import pytest

import mainstem.check
from mainstem.check import probes
from mainstem.check.finding import Finding

NEW = """
from mainstem.check.finding import Finding
from mainstem.check.probe import Probe
PROBE = Probe(lambda visit: [Finding("clock", True, visit.site.time_zone)], after="subject_key")
"""


def test_new_file_is_a_new_probe(
    make_site: Any, findings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clock_of_the_site.py").write_text(NEW)
    monkeypatch.setattr(mainstem.check, "__path__", [*mainstem.check.__path__, str(tmp_path)])
    found = findings(make_site(files={"folder": "nowhere"}))
    assert found["clock"] == Finding("clock", True, "UTC")
    assert next(iter(found)) == "subject key"


def test_every_file_that_looks_declares_its_probe() -> None:
    """What does not is what probes are made of."""
    files = {path.stem for path in Path(mainstem.check.__file__).parent.glob("*.py")}
    assert len(probes()) == len(files - {"__init__", "finding", "kafka", "probe"})
