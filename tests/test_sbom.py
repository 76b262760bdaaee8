"""The bill of materials of a lock names what the lock names, and is the same each time."""

import json
import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def written(lock: Path, to: Path) -> bytes:
    recipe = re.search(r"cyclonedx-py (requirements) (.+) -o", (REPOSITORY / "Makefile").read_text(encoding="utf-8"))
    assert recipe is not None
    words = recipe[2].replace("requirements/$$role.txt", str(lock)).split()
    run = [sys.executable, "-m", "cyclonedx_py", "requirements", *words, "-o", str(to)]
    subprocess.run(run, check=True, cwd=REPOSITORY, capture_output=True, timeout=120)
    return to.read_bytes()


def test_every_locked_package_is_named_with_its_version_and_hashes(tmp_path: Path) -> None:
    """The tool validates what it writes against CycloneDX's own schema."""
    lock = tmp_path / "requirements.txt"
    lock.write_text(
        "".join((REPOSITORY / "requirements" / "core.txt").read_text(encoding="utf-8").partition("fhir-")[0])
    )
    first = written(lock, tmp_path / "first.json")
    assert first == written(lock, tmp_path / "second.json")
    bill = json.loads(first)
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "mainstem"
    locked = dict(re.findall(r"^([a-z0-9.-]+)==([^ ;]+)", lock.read_text(encoding="utf-8"), re.MULTILINE))
    assert {each["name"]: each["version"] for each in bill["components"]} == locked
    assert all(each["externalReferences"][0]["hashes"] for each in bill["components"])
