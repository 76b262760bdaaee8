"""What ships stands beside no GPL; what is not plain is judged by name, with the reason."""

import runpy
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def licences() -> Any:
    class Module:
        def __init__(self, names: dict[str, Any]) -> None:
            self.__dict__.update(names)

    return Module(runpy.run_path(str(REPOSITORY / "requirements" / "licences.py")))


def package(folder: Path, *fields: str, name: str = "stranger") -> Distribution:
    """A distribution as it lies installed."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *fields, ""]))
    return PathDistribution(info)


@pytest.mark.parametrize(
    "field",
    [
        "License-Expression: GPL-3.0-or-later",
        "License-Expression: AGPL-3.0-only",
        "License-Expression: LGPL-2.1-only",
        "License-Expression: MIT AND GPL-2.0-only WITH Classpath-exception-2.0",
        "License: GNU GPL",
        "License: gpl v2",
        "Classifier: License :: OSI Approved :: GNU Affero General Public License v3",
        "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)",
        "Classifier: License :: OSI Approved :: GNU Library or Lesser General Public License (LGPL)",
    ],
)
def test_package_under_a_gpl_does_not_ship_unjudged(licences: Any, tmp_path: Path, field: str) -> None:
    found = licences.licence_of(package(tmp_path, field))
    assert "has to be judged" in found.fault()


def test_no_judgement_lets_a_gpl_through(licences: Any, tmp_path: Path) -> None:
    found = licences.licence_of(package(tmp_path, "License: GPL-3.0-only"))
    for taken_under, ships in (("GPL-3.0-only", False), ("AGPL-3.0", False), ("LGPL-3.0-only", True), ("MIT", True)):
        licences.JUDGED["stranger"] = licences.Judgement("GPL-3.0-only", taken_under, "because")
        assert (found.fault() == "") is ships, taken_under
    del licences.JUDGED["stranger"]


def test_judgement_is_void_when_the_package_declares_something_else(licences: Any, tmp_path: Path) -> None:
    found = licences.licence_of(package(tmp_path, "License-Expression: AGPL-3.0-only", name="psycopg"))
    assert "judge it again" in found.fault()


@pytest.mark.parametrize("field", ["Summary: none", "License: UNKNOWN", "License:"])
def test_package_that_declares_nothing_is_read_by_somebody(licences: Any, tmp_path: Path, field: str) -> None:
    assert "declares no licence" in licences.licence_of(package(tmp_path, field)).fault()


@pytest.mark.parametrize(
    "field",
    [
        "License-Expression: Apache-2.0 OR BSD-3-Clause",
        "Classifier: License :: OSI Approved :: MIT License",
        "License: MIT\n        Permission is hereby granted; unlike the GPL\nClassifier: License :: OSI Approved :: MIT License",
    ],
)
def test_other_licences_ship(licences: Any, tmp_path: Path, field: str) -> None:
    assert licences.licence_of(package(tmp_path, field)).fault() == ""


def test_package_that_is_shipped_but_not_here_is_said(licences: Any) -> None:
    shipped = {"absent", *licences.JUDGED}
    assert next(licences.faults([], shipped)).startswith("absent: not installed here")
    assert "psycopg: judged, but no longer shipped" in list(licences.faults([], set()))


def test_what_is_installed_ships(licences: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole list of this environment: `make licences`."""
    assert licences.main() == 0, capsys.readouterr().out
    shown = capsys.readouterr().out
    assert "kafka-python" in shown
    assert "psycopg" in shown
    assert "ruff" not in shown
