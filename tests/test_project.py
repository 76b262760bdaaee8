"""What must stay true of the project as a whole."""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
OURS = ("schemas", "connectors", "transforms", "mainstem", "services", "dags")
HEAVY = ("airflow", "sqlalchemy", "kafka", "httpx2", "pandas", "fhir", "pint", "fastapi", "alembic", "rich")


def test_our_distribution_alone_owns_its_top_level_names() -> None:
    """The names are an application's; another package with one of them would shadow ours."""
    owners = metadata.packages_distributions()
    assert {name: set(owners.get(name, ["mainstem"])) for name in OURS} == {name: {"mainstem"} for name in OURS}


def test_help_answers_without_loading_what_it_does_not_need() -> None:
    """The command line never imports Airflow, and `--help` imports no database, broker or FHIR library."""
    program = (
        "import sys; from mainstem.commands import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert "Outcome events for Learning Health Networks" in done.stdout
    assert done.stdout.splitlines()[-1] == "LOADED []"


@pytest.mark.skipif(not (REPOSITORY / ".git").exists(), reason="not a git checkout: nothing is committed")
def test_no_committed_file_names_a_package_host() -> None:
    """Locks hold names, versions and hashes; where packages come from is the user's business."""
    hosts = "|".join(("py" + "pi", "npm" + "js", "crates", "python" + "hosted"))
    pattern = re.compile(rf"({hosts})\.(org|com|io)|index-url|find-links")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.split()
    texts = [
        REPOSITORY / name for name in listed if not name.endswith((".png", ".gz")) and name != "tests/test_project.py"
    ]
    assert [path.name for path in texts if path.exists() and pattern.search(path.read_text(errors="replace"))] == []


def test_every_lock_has_a_hash_for_each_package() -> None:
    """What is installed is what was resolved."""
    for lock in (REPOSITORY / "requirements").glob("*.txt"):
        text = lock.read_text()
        pinned = re.findall(r"^[a-zA-Z0-9._-]+(?:\[[a-z,]+\])?==[^\s]+", text, flags=re.MULTILINE)
        blocks = re.findall(
            r"^[a-zA-Z0-9._-]+(?:\[[a-z,]+\])?==.*?\\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n?)+",
            text,
            flags=re.MULTILINE,
        )
        assert pinned, lock.name
        assert len(blocks) == len(pinned), lock.name
