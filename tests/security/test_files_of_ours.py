"""What lies on the disk: nothing secret in a commit or an image, secrets that others can read are said, files are their owner's."""

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from network_under_test import Network
from synthetic_children import children, deliver

from mainstem.config.site_files import file_secrets
from mainstem.refresh import open_refresh
from schemas.errors import OperatorError

REPOSITORY = Path(__file__).parents[2]
SECRET = [
    "sites/keys/north.subject-key",
    "sites/keys/north.pem",
    "sites/north.subject-key",
    "north.subject-key",
    "keys/anything",
    "client.pem",
    "docker/broker.key",
    "certificates/truststore.jks",
    ".env",
    "docker/.env",
    "docker/.env.production",
    "docker/sites/north.toml",
    "docker/sites/keys/north.pem",
    "var/landing/north/1/Patient-0001.ndjson.gz",
    "landing/north/1/Patient-0001.ndjson.gz",
    "deliveries/north/Patient.ndjson",
    "sites/deliveries/north/Patient.ndjson",
    "var/mainstem.db",
    "mainstem.db",
    "mainstem.db-wal",
    "registry.sqlite",
    "state/mainstem.db",
    "site-data/Patient.ndjson",
]


@pytest.mark.skipif(not (REPOSITORY / ".git").exists(), reason="not a git checkout: nothing is committed")
def test_git_ignores_secrets_and_patients_data() -> None:
    """`git add .` in a folder that is worked in takes none of them."""
    asked = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin"],
        cwd=REPOSITORY, input="\n".join(SECRET), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert asked.stdout.splitlines() == SECRET
    committed = subprocess.run(
        ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert committed.stdout == ""


def matches(rule: str, path: str) -> bool:
    """Docker's rules, as far as ours use them: `*`, `**/` and whole folders."""
    pattern = re.escape(rule).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
    return re.fullmatch(f"{pattern}(?:/.*)?", path) is not None


def is_sent(path: str) -> bool:
    """Whether the builder is given the file: the last rule that fits decides."""
    sent = True
    for line in (REPOSITORY / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#") and matches(line.removeprefix("!"), path):
            sent = line.startswith("!")
    return sent


def test_the_image_is_built_from_what_it_copies_and_nothing_else() -> None:
    """The context is the whole folder otherwise: keys, landing, history."""
    beside = [
        *SECRET,
        ".git/config",
        "sites/north.toml",
        "tests/conftest.py",
        "mainstem/keys/x.pem",
        "dags/ehr_pull__north.py",
    ]
    assert [path for path in beside if is_sent(path)] == []
    copied = re.findall(
        r"^COPY (?!--from)(.+)$", (REPOSITORY / "docker" / "Dockerfile").read_text(), flags=re.MULTILINE
    )
    for name in (name for line in copied for name in line.split()[:-1]):
        found = REPOSITORY / name
        inside = next(found.glob("*.py")) if found.is_dir() else found
        assert is_sent(str(inside.relative_to(REPOSITORY))), name
    assert is_sent("dags/site_dag.py")
    assert is_sent("mainstem/state/loads.py")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o666])
def test_a_secret_that_others_can_read_is_said_with_what_to_do(
    mode: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once: the file and the command; never what it holds."""
    key = tmp_path / f"north-{mode:o}.subject-key"
    key.write_text("Geh3im" * 8)
    key.chmod(mode)
    secrets = file_secrets(tmp_path)
    assert secrets(f"file:{key.name}") == secrets(f"file:{key.name}") == b"Geh3im" * 8
    said = capsys.readouterr().err
    assert said == f"warning: {key} can be read by others (mode {mode:04o}); chmod 600 {key}\n"
    key.chmod(0o600)
    secrets(f"file:{key.name}")
    assert capsys.readouterr().err == ""


def test_a_secret_that_cannot_be_read_is_an_operators_error(tmp_path: Path) -> None:
    """A folder, nothing at all."""
    (tmp_path / "folder").mkdir()
    for name in ("folder", "nothing"):
        with pytest.raises(OperatorError, match="cannot be read"):
            file_secrets(tmp_path)(f"file:{name}")


def test_data_that_others_can_read_are_closed_at_the_start_or_said(
    tmp_path: Path, lhn: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's file and the landing's folders; where they are another user's, with what that one does."""
    site = lhn.files_site("west", tmp_path / "given")
    landing, database = tmp_path / "landing" / "west", tmp_path / "store.db"
    landing.mkdir(parents=True, mode=0o755)
    database.touch(0o644)
    said: list[str] = []
    with open_refresh(site, lhn.settings, notice=said.append):
        assert [oct(stat.S_IMODE(each.stat().st_mode)) for each in (database, landing)] == ["0o600", "0o700"]
    assert said == []
    for path, mode in ((database, 0o644), (landing, 0o755)):
        path.chmod(mode)

    def refused(path: Path, mode: int) -> None:
        raise PermissionError(1, "not yours")

    monkeypatch.setattr(Path, "chmod", refused)
    with open_refresh(site, lhn.settings, notice=said.append):
        pass
    assert any(sentence.endswith(f"chmod 600 {database}") for sentence in said)
    assert any(sentence.endswith(f"chmod 700 {landing}") for sentence in said)


@pytest.fixture
def generous() -> Iterator[None]:
    """A umask that takes nothing away, as careless service units have."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.slow
@pytest.mark.usefixtures("generous")
@pytest.mark.timeout(280)
def test_every_file_of_a_whole_run_is_its_owners(lhn: Network, tmp_path: Path) -> None:
    """A new site, two loads (one as a command, one as a task of Airflow's would), `map`, stubs, schemas: every mode is looked at."""
    deliver(children(2), tmp_path / "given")
    with (tmp_path / "given" / "Observation.ndjson").open("ab") as file:
        file.write(b'{"resourceType":"Observation"}\nno JSON\n')
    before = set(tmp_path.rglob("*"))
    new = ["sites", "new", "west", "--folder", tmp_path / "given", "--time-zone", "America/New_York"]
    made = lhn.mainstem(*new, "--to", tmp_path / "made" / "sites")
    assert made.returncode == 0, made.stderr
    site = tmp_path / "made" / "sites" / "west.toml"
    ran = lhn.mainstem("run", site)
    assert ran.returncode in (0, 3), ran.stderr
    assert "can be read by others" not in ran.stderr
    lhn.refresh(site, mode="full")
    for arguments in (
        ["map", tmp_path / "given", "--site", site, "--problems", tmp_path / "made" / "problems.jsonl", "--explain"],
        ["sites", "dags", tmp_path / "made" / "sites", "--to", tmp_path / "made" / "dags"],
        ["schemas", "--to", tmp_path / "made" / "schemas"],
    ):
        done = lhn.mainstem(*arguments)
        assert done.returncode == 0, done.stderr
    found = {path: stat.S_IMODE(path.lstat().st_mode) for path in set(tmp_path.rglob("*")) - before}
    names = " ".join(map(str, found))
    for kind in ("landing", "quarantine", "store.db", "subject-key", "problems.jsonl", "ehr_pull__west.py"):
        assert kind in names, kind
    assert {str(path): oct(mode) for path, mode in found.items() if mode & 0o022} == {}
    shared = ("made/sites", "made/dags", "made/schemas")
    private = {path: mode for path, mode in found.items() if not str(path.relative_to(tmp_path)).startswith(shared)}
    private |= {path: mode for path, mode in found.items() if "keys" in path.parts}
    private.pop(tmp_path / "made", None)
    assert {str(path): oct(mode) for path, mode in private.items() if mode & 0o077} == {}
    shutil.rmtree(tmp_path / "made")
