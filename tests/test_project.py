"""What must stay true of the project as a whole."""

import ast
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

REPOSITORY = Path(__file__).parents[1]
OURS = ("schemas", "connectors", "transforms", "mainstem", "services", "dags")
HEAVY = (
    "airflow",
    "sqlalchemy",
    "kafka",
    "httpx2",
    "pandas",
    "fhir",
    "pint",
    "fastapi",
    "alembic",
    "rich",
    "pydantic",
    "csv",
)


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


def test_help_imports_no_command() -> None:
    """It reads the list that `make generated` writes: a start of forty files takes half as long again."""
    program = (
        "import sys; from mainstem.commands import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "print('LOADED', sorted(name for name in sys.modules if name.startswith('mainstem.commands.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED ['mainstem.commands.late']"


def test_a_command_starts_without_the_files_of_others() -> None:
    """The file of its name is loaded, and what the commands share."""
    program = (
        "import sys; from mainstem.commands import app\n"
        "try: app(['version'])\n"
        "except SystemExit: pass\n"
        "print('LOADED', [name for name in ('run', 'topics', 'version') if f'mainstem.commands.{name}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED ['version']"


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


def product() -> Iterator[Path]:
    """The product's own files."""
    for room in OURS:
        yield from sorted((REPOSITORY / room).rglob("*.py"))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function of a file and its lines."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{path.relative_to(REPOSITORY)}: {node.name}", node.end_lineno - node.lineno + 1


def test_files_and_functions_are_small() -> None:
    """A file fits into a head, a function into a glance: no file over 500 lines; none of 60 but a migration's; nine in ten within 20."""
    long_files = [path.name for path in product() if len(path.read_text().splitlines()) > 500]
    sizes = [size for path in product() for size in functions(path)]
    long_functions = [name for name, lines in sizes if lines > 60 and "/migrations/versions/" not in name]
    small = sum(lines <= 20 for _, lines in sizes)
    assert (long_files, long_functions) == ([], [])
    assert small >= 0.9 * len(sizes)


def names(path: Path) -> Iterator[str]:
    """What a file itself calls its classes, aliases and functions; no imports."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (each.id for each in node.targets if isinstance(each, ast.Name))


@pytest.mark.parametrize(
    ("name", "home"),
    [
        ("Finding", "mainstem/check/finding.py"),
        ("Mode", "schemas/loads.py"),
        ("Parts", "transforms/rules/declaring.py"),
        ("Reason", "schemas/problems.py"),
        ("utc_now", "connectors/source.py"),
    ],
)
def test_a_word_that_the_rooms_share_means_one_thing(name: str, home: str) -> None:
    """Who reads it anywhere need not look which of several it is."""
    assert [str(path.relative_to(REPOSITORY)) for path in product() if name in names(path)] == [home]


@pytest.mark.parametrize("name", ["Part", "Report"])
def test_a_word_too_wide_for_one_thing_names_none(name: str) -> None:
    """A part, or a report, says of what."""
    assert [path.name for path in product() if name in names(path)] == []


def test_every_room_opens_with_what_it_is_for() -> None:
    """Its `__init__` says it; an empty one would send the reader into the files."""
    rooms = [path for path in product() if path.name == "__init__.py" and path.parent.name != "versions"]
    assert [str(path) for path in rooms if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_a_property_holds_on_a_busy_machine() -> None:
    """An example that was kept waiting is no example against it."""

    @given(st.none())
    def kept_waiting(_: None) -> None:
        time.sleep(0.3)

    kept_waiting()
