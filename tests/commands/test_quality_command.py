"""`mainstem quality`: a site is judged from its state; a fault is told with what to do and who, on a page too."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from judged_children import HEIGHT, clinic, is_of, times
from network_under_test import Network
from synthetic_children import deliver

TYPES = ["Patient", "Condition", "Encounter", "Observation"]


@pytest.fixture
def delivery(tmp_path: Path) -> Path:
    """A clinic of twelve children, two of whose heights are in inches."""
    folder = tmp_path / "delivery"
    deliver(
        times(clinic(12), HEIGHT, 1 / 2.54, lambda each: each["id"].startswith(("kid-3-visit-5", "kid-4-visit-5"))),
        folder,
    )
    return folder


@pytest.fixture
def site(lhn: Network, delivery: Path) -> Path:
    """The site of that folder, read once."""
    path = lhn.files_site("west", delivery, types=TYPES)
    assert lhn.here("run", path).returncode == 0
    return path


def told(lhn: Network, site: str = "west") -> dict[str, Any]:
    """What `quality --json` says, by check."""
    answer = json.loads(lhn.here("quality", "--site", site, "--json").stdout)
    return {check["id"]: check for check in answer["checks"]}


@pytest.mark.usefixtures("site")
@pytest.mark.slow
def test_a_fault_is_told_with_what_to_do_and_who(lhn: Network, tmp_path: Path) -> None:
    """In JSON, to people, on a page; exit code 3."""
    checks = told(lhn)
    wrong = checks["height-falling"]
    assert (wrong["status"], wrong["found"], wrong["who"]) == ("failed", 2, "site IT")
    assert all((wrong["source"], wrong["fix"]))
    assert wrong["threshold"] == 0.001
    assert checks["demographics"]["status"] == "passed"
    assert checks["after-death"]["status"] == "not-applicable"
    shown = lhn.here(
        "quality", "--site", "west", "--html", tmp_path / "page.html", "--findings", tmp_path / "found.csv"
    )
    assert shown.returncode == 3
    assert "height-falling" in shown.stdout
    assert "fix:" in shown.stdout
    page = (tmp_path / "page.html").read_text()
    assert "What to do" in page
    with (tmp_path / "found.csv").open(newline="") as file:
        fallen = [row["record"] for row in csv.DictReader(file) if row["check"] == "height-falling"]
    assert sorted(fallen) == sorted(wrong["lines"][0]["examples"])
    assert "http-equiv" not in page
    assert "kid-" not in page + shown.stdout


def test_what_a_load_no_longer_has_is_told_at_the_next_judgement(lhn: Network, site: Path, delivery: Path) -> None:
    """Judged after each of two loads: the second is compared with the first."""
    assert told(lhn)["persistence"]["status"] == "not-applicable"
    gone = [each for each in clinic(12) if is_of(each, HEIGHT)]
    withdrawn = [{**each, "status": "entered-in-error"} for each in gone]
    deliver(withdrawn, delivery, suffix="-2")
    assert lhn.here("run", site).returncode in (0, 3)
    lost = told(lhn, str(site))["persistence"]
    assert lost["status"] == "failed"
    assert lost["lines"][0]["of"] == f"observation {HEIGHT}"


def test_a_site_that_was_never_loaded_is_no_pass(lhn: Network) -> None:
    """Told, with what to do."""
    answer = lhn.here("quality", "--site", "nowhere")
    assert answer.returncode not in (0, 3)
    assert "no load has completed" in answer.stderr
