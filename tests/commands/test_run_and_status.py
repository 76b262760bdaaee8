"""`mainstem run` and `mainstem status`: what was noticed, what came as before, what cannot be sent and how it heals."""

import json
from pathlib import Path
from typing import Any

import pytest
from network_under_test import Network

from schemas.loads import load_topic


def weight(number: int, kilograms: float) -> dict[str, Any]:
    """A reading."""
    return {
        "resourceType": "Observation",
        "id": f"wt-{number}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": "Patient/kid-1"},
        "effectiveDateTime": f"2026-03-{number:02}T10:00:00Z",
        "valueQuantity": {"value": kilograms, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the site delivers."""
    path = tmp_path / "delivery"
    path.mkdir()
    return path


def deliver(folder: Path, *resources: dict[str, Any]) -> None:
    """The folder holds these observations."""
    (folder / "Observation.ndjson").write_text("".join(json.dumps(each) + "\n" for each in resources))


@pytest.mark.slow
def test_what_is_noticed_says_of_which_lines(lhn: Network, folder: Path) -> None:
    """On the second night only what changed is mapped, so what was noticed is of the lines that changed, and says so."""
    site = lhn.files_site("west", folder, types=["Observation"])
    known = [weight(number, 900) for number in range(1, 9)]
    deliver(folder, *known)
    first = lhn.mainstem("run", site)
    assert "noticed 8 × implausible-high\n" in first.stdout
    assert "came as before" not in first.stdout

    deliver(folder, *known, weight(9, 900))
    second = lhn.mainstem("run", site)
    assert "noticed 1 × implausible-high, of the lines that changed" in second.stdout
    assert "8 of 9 resources came as before and were not mapped again" in second.stdout

    deliver(folder, *known, weight(10, 901))
    total = json.loads(lhn.mainstem("run", site, "--json").stdout)["total"]
    assert (total["read"], total["mapped"], total["recognised"]) == (9, 9, 8)
    assert total["flags"] == {"implausible-high": 1}


@pytest.mark.slow
def test_a_refused_change_is_shown_and_heals_with_the_next_change(
    lhn: Network, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`status` names how many, and how they heal; the load is complete in part."""
    site = lhn.files_site("west", folder, types=["Observation"])
    deliver(folder, weight(1, 30), weight(2, 31))
    with monkeypatch.context() as limit:
        limit.setattr("mainstem.publisher.encoding.MAX_EVENT_BYTES", 100)
        report = lhn.refresh(site)
    assert (report.status, report.refused, report.published) == ("partial", {"too-large": 2}, 0)

    shown = lhn.mainstem("status").stdout
    assert "refused" in shown
    assert "2 changes refused: too large to send" in shown
    assert "each is tried again when its record changes" in shown
    (row,) = json.loads(lhn.mainstem("status", "--json").stdout)
    assert (row["refused"], row["pending"]) == (2, 0)

    deliver(folder, weight(1, 32), weight(2, 31))
    again = lhn.mainstem("run", site)
    assert (again.returncode, "refused 1 × too-large" in again.stdout) == (3, True)
    (row,) = json.loads(lhn.mainstem("status", "--json").stdout)
    assert row["refused"] == 1
    deliver(folder, weight(1, 32), weight(2, 33))
    assert lhn.mainstem("run", site).returncode == 0
    assert "changes refused" not in lhn.mainstem("status").stdout


LOCAL = "urn:oid:1.2.3.4.5"


def local(number: int, code: str) -> dict[str, Any]:
    """A reading under a code of the hospital's own."""
    return weight(number, 30) | {"code": {"coding": [{"system": LOCAL, "code": code}]}}


@pytest.mark.slow
def test_flags_are_counted_as_reasons_are_and_unmapped_codes_are_rows(lhn: Network, folder: Path) -> None:
    """`map` and `run` say how often and how many; the rows go back as the site's code map, and then nothing is said."""
    deliver(folder, local(1, "WT"), local(2, "WT"), local(3, "WT"), local(4, 'W,"T'), weight(5, 30))
    (lhn.folder / "map.csv").write_text("system,code,target_system,target_code,note\n")
    site = lhn.files_site("west", folder, types=["Observation"], code_map="map.csv")
    tried = lhn.mainstem("map", folder).stderr
    ran = lhn.mainstem("run", site).stdout
    for said in (tried, ran):
        assert "noticed 4 × code-unmapped: 2 codes\n" in said
        assert f"    {LOCAL},WT,http://loinc.org,,came 3 times\n" in said
    rows = [line.strip() for line in ran.splitlines() if line.strip().startswith(LOCAL)]
    filled = "".join(row.replace(",,came", ",29463-7,came") + "\n" for row in rows)
    (lhn.folder / "map.csv").write_text(f"system,code,target_system,target_code,note\n{filled}")
    again = lhn.mainstem("run", site).stdout
    assert "code-unmapped" not in again
    assert "amended" in again


def test_unmapped_codes_stay_at_the_site(lhn: Network, folder: Path) -> None:
    """The load's report names them, the load event only says how often."""
    deliver(folder, local(1, "WT"))
    report = lhn.refresh(lhn.files_site("west", folder, types=["Observation"]))
    assert report.total.unmapped == {f"{LOCAL},WT,http://loinc.org": 1}
    ended = json.loads([event.raw for event in lhn.events(load_topic) if event.raw][-1])
    assert (ended["types"]["Observation"]["flags"], ended["types"]["Observation"]["unmapped"]) == (
        {"code-unmapped": 1},
        {},
    )
