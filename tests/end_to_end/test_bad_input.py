"""What goes wrong at a site: a message with cause and fix, no traceback, the watermark unmoved, nothing lost."""

import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from network_under_test import Network
from synthetic_children import RECORDS_A_CHILD, child, children, deliver

from mainstem.demo.embedded import BackendClient, Hospital, free_port
from mainstem.state import State
from schemas.errors import ExitCode


def watermarks(lhn: Network, site: str) -> dict[str, object]:
    """Up to when each type of a site is complete."""
    state = State.open(lhn.settings.database_url)
    try:
        state.migrate()
        return dict(state.watermarks.of(site))
    finally:
        state.close()


def refused(done: "subprocess.CompletedProcess[str]", *, says: str) -> str:
    """The command failed as a command should; returns what it said."""
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr, done.stderr
    assert "error:" in done.stderr
    assert "fix:" in done.stderr
    assert says in done.stderr, done.stderr
    return done.stderr


@pytest.mark.slow
def test_a_wrong_key_is_told_with_what_to_do_and_nothing_moves(
    lhn: Network, hospital: Callable[..., Hospital], tmp_path: Path
) -> None:
    """The vendor registered another public key."""
    server = hospital(children(1), name="north", smart=True)
    BackendClient.create(tmp_path / "other.pem")
    site = lhn.server_site("north", server, "search")
    site.write_text(site.read_text().replace(str(server.client.private_key), str(tmp_path / "other.pem")))  # type: ignore[union-attr]
    refused(lhn.here("run", site), says="mainstem")
    assert lhn.here("check", site).returncode == 78
    assert watermarks(lhn, "north") == {}
    assert lhn.events() == []


@pytest.mark.slow
def test_a_dead_ehr_is_named_and_the_next_run_brings_everything(lhn: Network, tmp_path: Path) -> None:
    """Nobody listens at the port."""
    site = lhn.site("north", f'[fhir]\nbase_url = "http://127.0.0.1:{free_port()}/fhir"\n', road="search")
    refused(lhn.here("run", site), says="127.0.0.1")
    assert watermarks(lhn, "north") == {}


@pytest.mark.slow
def test_a_dead_broker_loses_nothing(lhn: Network, tmp_path: Path) -> None:
    """The pull and the mapping are kept; once a broker answers, the same run goes on and publishes all."""
    deliver(children(2), tmp_path / "west")
    site = lhn.files_site("west", tmp_path / "west")
    dead = f"127.0.0.1:{free_port()}"
    refused(lhn.here("run", site, MAINSTEM_KAFKA=dead), says=dead)
    assert watermarks(lhn, "west") == {}
    again = lhn.here("run", site, "--json")
    assert again.returncode == 0, again.stderr
    report = json.loads(again.stdout)
    assert report["resumed"]
    assert report["published"] == 2 * RECORDS_A_CHILD
    assert len(lhn.events()) == 2 * RECORDS_A_CHILD
    assert len(watermarks(lhn, "west")) == 7


@pytest.mark.slow
def test_half_a_file_leaves_a_gap_and_the_other_types_go_on(lhn: Network, tmp_path: Path) -> None:
    """A copy that was cut off: its good lines count, its type's watermark stays until it is delivered whole."""
    deliver(children(3), tmp_path / "west")
    whole = (tmp_path / "west" / "Observation.ndjson").read_bytes()
    (tmp_path / "west" / "Observation.ndjson").unlink()
    packed = gzip.compress(whole)
    (tmp_path / "west" / "Observation.ndjson.gz").write_bytes(packed[: len(packed) // 2])
    site = lhn.files_site("west", tmp_path / "west")
    done = lhn.here("run", site, "--json")
    assert done.returncode == 3, done.stderr
    report = json.loads(done.stdout)
    assert [gap["resource_type"] for gap in report["gaps"]] == ["Observation"]
    came = {name for name, counts in report["types"].items() if counts["read"]}
    assert set(watermarks(lhn, "west")) == came - {"Observation"}
    assert "Observation" in lhn.here("status").stdout

    (tmp_path / "west" / "Observation.ndjson.gz").write_bytes(packed)
    repaired = lhn.here("run", site, "--json")
    assert repaired.returncode == 0, repaired.stderr
    assert json.loads(repaired.stdout)["gaps"] == []
    assert len(watermarks(lhn, "west")) == 7
    lhn.consume()
    assert lhn.registry("select count(*) from observation")[0][0] == 3 * 2 * 4


@pytest.mark.slow
def test_unusable_lines_are_counted_by_reason_and_kept_while_the_run_goes_on(lhn: Network, tmp_path: Path) -> None:
    """Broken JSON, another FHIR version, a missing id: each with its reason; read = mapped + skipped, per type."""
    deliver(child(1), tmp_path / "west")
    stu3 = {"resourceType": "Condition", "id": "old", "clinicalStatus": "active", "subject": {"reference": "Patient/1"}}
    nameless = {key: value for key, value in child(2)[1].items() if key != "id"}
    with (tmp_path / "west" / "Condition.ndjson").open("a") as file:
        file.write('{"resourceType": "Condition", "id": \n' + json.dumps(stu3) + "\n" + json.dumps(nameless) + "\n")
    site = lhn.files_site("west", tmp_path / "west")
    done = lhn.here("run", site, "--json")
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)["types"]["Condition"]
    assert counts["skipped"] == {"invalid-json": 1, "other-fhir-version": 1, "missing-id": 1}
    assert counts["read"] == counts["mapped"] + 3 == 4
    kept = list((tmp_path / "landing" / "west").glob("*/quarantine/Condition.ndjson"))
    assert len(kept) == 1
    assert kept[0].read_bytes().count(b"\n") == 3
    assert "1 invalid-json, 1 missing-id, 1 other-fhir-version" in lhn.here("status").stdout


def test_quarantined_lines_outlive_the_landing_files_of_their_load(
    make_network: Callable[..., Network], broker: str, tmp_path: Path
) -> None:
    """Only so many loads are kept; a line nobody has delivered again stays until somebody does."""
    lhn = make_network(broker, keep_loads=1)
    deliver(child(1), tmp_path / "west")
    with (tmp_path / "west" / "Condition.ndjson").open("a") as file:
        file.write("{broken\n")
    site = lhn.files_site("west", tmp_path / "west")
    assert [lhn.refresh(site).status for _ in range(2)] == ["completed"] * 2
    landed = {path.parent.name for path in (tmp_path / "landing" / "west").glob("*/*.gz")}
    quarantined = {path.parents[1].name for path in (tmp_path / "landing" / "west").glob("*/quarantine/*")}
    assert len(landed) == 1
    assert len(quarantined) == 2


def test_a_refused_resource_is_explained_in_full_without_its_content(lhn: Network, tmp_path: Path) -> None:
    """`mainstem map --explain` lists field paths and kinds of error, no values."""
    broken = {**child(1)[1], "subject": "Mustnottravel", "recordedDate": "Mustnottravel"}
    deliver([broken, *child(2)], tmp_path / "west")
    site = lhn.files_site("west", tmp_path / "west")
    done = lhn.here("map", "--site", site, "west", "--problems", "problems.jsonl", "--explain")
    assert done.returncode == 0, done.stderr
    problems = (tmp_path / "problems.jsonl").read_text()
    (row,) = map(json.loads, problems.splitlines())
    assert len(row["findings"]) >= 2
    assert "Mustnottravel" not in problems


def test_a_typing_error_in_the_site_file_is_answered_with_line_and_nearest_key(lhn: Network, tmp_path: Path) -> None:
    """From the command, not only from the parser."""
    site = lhn.files_site("west", tmp_path / "west")
    site.write_text(site.read_text().replace("folder =", "foldr ="))
    said = refused(lhn.here("run", site), says="did you mean 'folder'?")
    misspelt = next(number for number, line in enumerate(site.read_text().splitlines(), 1) if "foldr" in line)
    assert f"{site}:{misspelt}:" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "nowhere.toml"), "no such site file"),
        (("map", "--site", "west.toml", "nowhere"), "no such file or folder"),
        (("run", "west.toml", "--types", "FamilyMemberHistory"), "does not read FamilyMemberHistory"),
        (("--log", "yaml", "status"), "log format"),
        (("sites", "new", "west"), "--base-url or --folder"),
    ],
)
def test_a_mistake_on_the_command_line_is_told_with_its_fix(
    lhn: Network, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    """No traceback for a user's mistake."""
    deliver(child(1), tmp_path / "west")
    lhn.files_site("west", tmp_path / "west")
    refused(lhn.here(*arguments), says=says)


def test_a_database_that_is_away_is_told_without_its_password(lhn: Network, tmp_path: Path) -> None:
    """The URL's password appears nowhere."""
    deliver(child(1), tmp_path / "west")
    site = lhn.files_site("west", tmp_path / "west")
    url = f"postgresql://mainstem:hunter2@127.0.0.1:{free_port()}/mainstem"
    assert "hunter2" not in refused(lhn.here("run", site, MAINSTEM_DATABASE_URL=url), says="127.0.0.1")


def test_a_new_site_is_ready_to_be_tried(lhn: Network, tmp_path: Path) -> None:
    """The README's first steps: write a site file and its key, then map."""
    deliver(children(2), tmp_path / "export")
    written = lhn.here(
        "sites", "new", "north", "--folder", "export", "--time-zone", "America/New_York", "--to", "sites"
    )
    assert written.returncode == 0, written.stderr
    key = tmp_path / "sites" / "keys" / "north.subject-key"
    assert key.stat().st_mode & 0o777 == 0o600
    checked = lhn.here("check", "sites/north.toml")
    assert (checked.returncode, checked.stderr) == (ExitCode.ATTENTION, "")  # some of US Core's must-haves are missing
    trial = lhn.here("map", "--site", "sites/north.toml", "export", "--problems", "problems.jsonl")
    assert trial.returncode == 0, trial.stderr
    assert len(trial.stdout.splitlines()) == 2 * RECORDS_A_CHILD
    assert (tmp_path / "problems.jsonl").read_text() == ""


def test_a_mapping_can_be_tried_without_a_site_file(lhn: Network, tmp_path: Path) -> None:
    """With a throwaway key and UTC, which is said aloud; ids differ at each start."""
    deliver(children(1), tmp_path / "export")
    first, second = (lhn.here("map", "export") for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert "thrown away" in first.stderr
    assert "UTC" in first.stderr
    assert len(first.stdout.splitlines()) == RECORDS_A_CHILD
    assert first.stdout != second.stdout
