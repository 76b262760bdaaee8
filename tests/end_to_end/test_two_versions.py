"""Two versions of Mainstem in one network: for a night side by side, and a mapping's new version rolled out site by site."""

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from network_under_test import MAINSTEM, Network
from synthetic_children import RECORDS_A_CHILD, children, deliver

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs/how-to/recover.md"
ROOMS = ("schemas", "connectors", "transforms", "mainstem", "services", "dags")
CHANGED = """

import dataclasses

RESOURCE = dataclasses.replace(
    RESOURCE, version=2, fields={name: rule for name, rule in RESOURCE.fields.items() if name != "category"}
)
"""
"""What the new version does otherwise: observations are told without their category."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def newer(tmp_path: Path) -> dict[str, str]:
    """The environment of the new version: this one's files, with another mapping of one type."""
    folder = tmp_path / "newer"
    for room in ROOMS:
        shutil.copytree(REPOSITORY / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "transforms" / "resources" / "observation.py").open("a") as file:
        file.write(CHANGED)
    return {"PYTHONPATH": str(folder)}


@pytest.fixture
def two_sites(lhn: Network, tmp_path: Path) -> Network:
    """Loaded by the version of before."""
    for number, name in enumerate(("north", "south")):
        deliver(children(1), tmp_path / name)
        path = lhn.files_site(name, tmp_path / name)
        key = lhn.folder / f"{name}.key"
        key.write_text(f"{number:064x}")
        key.chmod(0o600)
        path.write_text(path.read_text().replace("subject.key", key.name))
        assert lhn.mainstem("run", path).returncode == 0
    return lhn


def mapped_by(lhn: Network) -> Counter[tuple[str, str]]:
    """How many observations of each site stand in the topic by which version of the mapping."""
    last = {event.headers["ce_subject"]: event for event in lhn.events()}
    told = [(event.site, json.loads(event.raw)["provenance"]["mapping"]) for event in last.values() if event.raw]
    return Counter(each for each in told if each[1].startswith("observation@"))


def test_a_new_mapping_is_rolled_out_site_by_site(two_sites: Network, newer: dict[str, str]) -> None:
    """As the page says it: north first, looked at, then south; ids stay, nobody counts twice, and a consumer of before takes both."""
    lhn = two_sites
    before = mapped_by(lhn)
    many = before["north", "observation@1"]
    assert before == {("north", "observation@1"): many, ("south", "observation@1"): many}
    lhn.consume()
    ids = set(lhn.registry("select id from observation"))
    part = PAGE.read_text(encoding="utf-8").partition("<!-- rollout -->")[2].partition("\n## ")[0]
    for command in re.findall(r"^    mainstem (.+)$", part, re.MULTILINE):
        done = lhn.mainstem(*command.split(), MAINSTEM_SITES=str(lhn.folder), **newer)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        if command == "reconcile north":
            assert mapped_by(lhn) == {("north", "observation@2"): many, ("south", "observation@1"): many}
            assert lhn.mainstem("run", "south", MAINSTEM_SITES=str(lhn.folder)).returncode == 0  # still of before
    assert mapped_by(lhn) == {("north", "observation@2"): many, ("south", "observation@2"): many}
    lhn.consume()
    assert set(lhn.registry("select id from observation")) == ids
    assert {row for (row,) in lhn.registry("select sequence from observation")} == {2}


def test_both_versions_work_in_one_night(two_sites: Network, newer: dict[str, str], tmp_path: Path) -> None:
    """At once, on one state and one broker: each site has its night, by whichever version it is read."""
    lhn = two_sites
    for name in ("north", "south"):
        deliver(children(2), tmp_path / name)
    runs = [
        subprocess.Popen(
            [MAINSTEM, "run", lhn.folder / f"{name}.toml"],
            env={**lhn.environment, **version},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, version in (("north", newer), ("south", {}))
    ]
    said = [run.communicate(timeout=300) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    lhn.consume()
    assert lhn.registry("select count(*) from history where site in ('north', 'south')")[0][0] >= 4 * RECORDS_A_CHILD
    assert lhn.registry("select count(*) from person")[0][0] == 4
    found = mapped_by(lhn)
    assert {site: sum(count for (each, _), count in found.items() if each == site) for site in ("north", "south")} == {
        "north": sum(found.values()) // 2,
        "south": sum(found.values()) // 2,
    }
    assert lhn.mainstem("reconcile", "north", MAINSTEM_SITES=str(lhn.folder)).returncode == 0
