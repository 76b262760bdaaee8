"""Linkage tokens of a site: written apart from the stream, for those who are held, only where the site names the secret."""

import csv
import json
from pathlib import Path
from typing import Any

from network_under_test import SUBJECT_KEY, Network

from mainstem.refresh import open_refresh
from mainstem.state import Decision
from transforms.privacy import Pseudonyms

SECRET = "the secret that a network's sites share"


def patient(name: str, family: str, **fields: Any) -> str:
    """A line."""
    whole = {"resourceType": "Patient", "id": name, "gender": "female", "birthDate": "2014-05-06"}
    return json.dumps(whole | {"name": [{"family": family, "given": ["Anne"]}]} | fields) + "\n"


def clinic(lhn: Network, name: str, *nights: str) -> Path:
    """A site that was delivered Patients."""
    folder = lhn.folder / name
    folder.mkdir()
    path = lhn.files_site(name, folder, types=["Patient"])
    for lines in nights:
        (folder / "Patient.ndjson").write_text(lines)
        lhn.refresh(path)
    return path


def rows(path: Path) -> set[tuple[str, str, str]]:
    """What a file says."""
    with path.open(encoding="utf-8", newline="") as file:
        return {(row["subject"], row["rule"], row["token"]) for row in csv.DictReader(file)}


def test_two_sites_find_whom_they_share_by_tokens_alone(lhn: Network) -> None:
    """The newest Patient counts; who was withdrawn or withdrew has none; off without a secret; nothing of it is sent or readable."""
    gone = json.dumps({"resourceType": "Patient", "id": "n-2", "meta": {"deleted": True}}) + "\n"
    first = patient("n-1", "Quux") + patient("n-2", "Gone") + patient("n-3", "Unwilling")
    north = clinic(lhn, "north", first, patient("n-1", "Zweig") + gone)
    with open_refresh(north, lhn.settings) as refresh:
        unwilling = Pseudonyms(SUBJECT_KEY.encode()).subject("n-3")
        refresh.store.consents.decide("north", [Decision(unwilling, "qi", False, refresh.clock())], refresh.clock())
    west = clinic(lhn, "west", patient("w-9", "ZWEIG") + patient("w-8", "Other"))
    refused = lhn.here("subjects", "tokens", north, "--csv", "north.csv")
    assert (refused.returncode, "linkage_secret" in refused.stderr) == (78, True)
    assert not (lhn.folder / "north.csv").exists()
    (lhn.folder / "shared").write_text(SECRET)
    (lhn.folder / "shared").chmod(0o600)
    for path in (north, west):
        path.write_text(f'linkage_secret = "file:shared"\n{path.read_text()}')
        assert lhn.here("subjects", "tokens", path, "--csv", f"{path.stem}.csv").returncode == 0
    ours, theirs = rows(lhn.folder / "north.csv"), rows(lhn.folder / "west.csv")
    assert len(ours) == 1
    assert len({token for _, _, token in ours} & {token for _, _, token in theirs}) == 1
    assert "zweig" not in (lhn.folder / "north.csv").read_text().lower()
    assert (lhn.folder / "north.csv").stat().st_mode & 0o077 == 0
    with open_refresh(north, lhn.settings) as refresh:
        said = [each.what for each in refresh.store.audit.entries() if each.site == "north"]
    assert "1 linkage tokens written to a file" in said
    again = lhn.here("subjects", "tokens", north, "--csv", "north.csv")
    assert (again.returncode, "there is such a file" in again.stderr) == (78, True)
