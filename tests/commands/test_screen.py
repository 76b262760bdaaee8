"""What the screen says to somebody at a keyboard: names that do not exist, exit codes, whole words, one form of time."""

import ast
import errno
import json
import os
import re
import socket
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hospital_with_faults import Answered, Asked, FaultyHospital
from screens import Said, sound_child
from scripted_terminal import MAINSTEM, played, wrote

import mainstem.commands
from mainstem.commands import app
from mainstem.commands.terminal import plain_table, print_json, stdout
from mainstem.demo.embedded import Hospital, free_port
from mainstem.demo.running_demo import PORTS, chosen_ports
from mainstem.state import State
from schemas.errors import ExitCode, OperatorError, TemporaryError

REPOSITORY = Path(__file__).parents[2]
REFUSED = Answered({"resourceType": "OperationOutcome"}, 403)
BUSY = Answered({"resourceType": "OperationOutcome"}, 503)


def refusing(*names: str, by: Answered = REFUSED) -> Callable[[Asked], Answered | None]:
    """A fault of some types."""
    return lambda asked: by if asked.path in names else None


@pytest.mark.parametrize("words", [("--version",), ("version",)])
def test_version_is_told_either_way(screen: Said, words: tuple[str, ...]) -> None:
    code, out, _ = screen(*words)
    assert (code, out[:9]) == (0, "mainstem ")


@pytest.mark.parametrize("words", [("-h",), ("run", "-h"), ("topics", "create", "-h")])
def test_short_help_is_help(screen: Said, words: tuple[str, ...]) -> None:
    code, out, _ = screen(*words)
    assert code == 0
    assert "Usage: mainstem" in out


@pytest.mark.parametrize(
    "words",
    [("status", "--site", "nosuch"), ("gaps", "list", "--site", "nosuch"), ("deletes", "list", "--site", "nosuch")],
)
def test_site_that_does_not_exist_is_refused_with_those_there_are(
    screen: Said, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """And the database that was looked in is named: it may be another than was meant."""
    store = State.open(f"sqlite:///{tmp_path}/state.db")
    store.migrate()
    with store.database.write() as connection:
        connection.exec_driver_sql("insert into site_state (site, number) values ('south', 0)")
    store.close()
    code, out, err = screen(*words)
    assert (code, out) == (78, "")
    assert f"SQLite {tmp_path}/state.db" in err
    assert "loaded: south" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("audit", "show", "--site", "nosuch"), "There are entries of: none"),
        (("audit", "show", "--what", "nosuch"), "There are pull, disclose"),
        (("audit", "show", "--since", "nosuch"), "2026-11-03"),
        (("views", "list", "--since", "nosuch"), "2026-11-03"),
        (("quality", "--site", "nosuch"), "The state knows: none"),
        (("map", "--site", "nosuch", "."), "mainstem sites new"),
        (("replay", "--type", "nosuch"), "observation"),
        (("replay", "--since", "yesterday"), "2026-11-03"),
        (("replay", "--since", "2999-01-01"), "Write a time that has been"),
        (("replay", "--to-group", "a b"), "Write letters, digits"),
        (("replay", "--to-group", ""), "Write letters, digits"),
        (("topics", "create", "--group", "a/b"), "Write letters, digits"),
        (("registry", "tokens", "new", "--type", "nosuch", "x"), "observation"),
        (("registry", "tokens", "new", "--site", "nosuch", "x"), "It knows: none yet"),
        (("dlq", "drop", "--reason", "nosuch"), "invalid-json"),
        (("quarantine", "list", "--site", "north", "--reason", "nosuch"), "invalid-json"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(
    screen: Said, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    """Not answered by an empty table and 0."""
    for name in ("REGISTRY", "ACCESS"):
        monkeypatch.setenv(f"MAINSTEM_{name}_URL", f"sqlite:///{tmp_path}/{name}.db")
    code, _, err = screen(*words)
    assert (code, told in err) == (78, True), err


def test_site_is_named_by_its_name_everywhere(screen: Said, north: FaultyHospital) -> None:
    assert screen("check", "north")[0] == 0
    code, _, err = screen("check", "nroth")
    assert code == 78
    assert "Sites there are: north." in err


def test_record_type_that_does_not_exist_is_refused_before_the_broker_is_asked(screen: Said) -> None:
    code, _, err = screen("tail", "--type", "vitals", "--no-follow")
    assert code == 78
    assert "observation" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("sites", "new", "north", "--folder", "/nowhere"), "/nowhere: no such folder"),
        (("sites", "new", "North!", "--base-url", "https://ehr.example"), "lower case letters, digits and hyphens"),
        (
            ("sites", "new", "north", "--base-url", "https://ehr.example", "--time-zone", "New York"),
            "America/New_York?",
        ),
    ],
)
def test_mistake_at_the_first_step_is_told_in_words(
    screen: Said, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    """Nothing is written, and no pattern shown."""
    code, _, err = screen(*words)
    assert code == 78
    assert told in err
    assert "^[" not in err
    assert not list(tmp_path.rglob("*.toml"))


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (refusing(), 0),
        (refusing("Condition"), 3),
        (refusing("Patient", "Condition", "Observation"), 78),
        (refusing("Patient", "Condition", "Observation", by=BUSY), 75),
        (refusing("metadata", by=BUSY), 75),
    ],
)
@pytest.mark.slow
def test_check_ends_as_a_run_would(
    screen: Said, north: FaultyHospital, fault: Callable[[Asked], Answered | None], code: int
) -> None:
    """78 where somebody must act, 75 where it may pass, 3 where a type would leave a gap; 1 is a defect of ours."""
    north.faults.append(fault)
    assert screen("check", "north")[0] == code


def test_one_cause_is_told_once(screen: Said, north: FaultyHospital) -> None:
    """Three types without rights are one line with one fix, and nothing but words on either stream."""
    north.faults.append(refusing("Patient", "Condition", "Observation"))
    _, out, err = screen("check", "north")
    assert out.count("(403)") == out.count("fix:") == 1
    assert "Patient, Condition, Observation: " in out
    assert "(site IT)" in out
    assert err == ""


def test_retry_is_no_line_of_a_log(screen: Said, north: FaultyHospital) -> None:
    north.faults.append(refusing("metadata", by=BUSY))
    _, out, err = screen("check", "north")
    assert "stamina" not in out + err
    assert "TemporaryError" not in out + err
    _, _, err = screen("--log", "text", "check", "north")
    assert "asked again" in err
    assert "TemporaryError" not in err


def test_https_to_a_port_of_http_is_said_as_such(screen: Said, north: FaultyHospital, tmp_path: Path) -> None:
    path = tmp_path / "sites/north.toml"
    path.write_text(path.read_text().replace("http://", "https://"))
    code, out, _ = screen("check", "north")
    assert code == 78
    assert "https is asked of a port that answers http" in out


def test_server_that_wants_a_log_in_says_that_there_is_none(screen: Said, north: FaultyHospital) -> None:
    """Not that it does not accept the log-in of none; and the section's name is no markup."""
    north.faults.append(refusing("Patient", "Condition", "Observation", by=Answered(REFUSED.body, 401)))
    _, out, _ = screen("check", "north")
    assert "wants a log-in (401), and the site file has none" in out
    assert "[fhir.auth]" in out


def test_nothing_is_cut_in_a_pipe(screen: Said) -> None:
    """As long as it is; at a narrow terminal the cells go on below."""
    _, out, _ = screen("sites", "keys")
    wide = next(line for line in out.splitlines() if line.startswith("cohort.search"))
    assert "Condition?code=http://snomed.info/sct|190905008" in wide


def test_nothing_is_cut_at_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    table = plain_table("variable", "meaning")
    table.add_row("MAINSTEM_A_NAME_WITHOUT_BLANKS_OF_45_LETTERS", "what it is for, in a dozen of words or so")
    stdout().print(table)
    out = capsys.readouterr().out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 40
    assert "MAINSTEM_A_NAME_WITHOUT_BLANKS_OF_45_LETTERS" in "".join(line.split(" ")[0] for line in out.splitlines())


def test_times_have_one_form_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever wrote them: a model, a row, a library."""
    now = datetime(2026, 3, 2, 5, 0, 0, 250_000, tzinfo=UTC)
    print_json({"a": now, "b": [now.isoformat(), str(now)], "c": ({"d": "2026-03-02T05:00:00Z"},), "e": "2026-03-02"})
    assert json.loads(capsys.readouterr().out) == {
        "a": "2026-03-02T05:00:00Z",
        "b": ["2026-03-02T05:00:00Z"] * 2,
        "c": [{"d": "2026-03-02T05:00:00Z"}],
        "e": "2026-03-02",
    }


def test_demo_ports_are_chosen_by_option(screen: Said) -> None:
    assert chosen_ports(False, {"page": 9071})["page"] == 9071
    assert chosen_ports(False, {})["page"] == PORTS["page"]
    assert chosen_ports(True, {"page": 9071})["page"] == 9071
    with pytest.raises(OperatorError, match="no port of pgae"):
        chosen_ports(False, {"pgae": 9071})
    code, _, err = screen("demo", "--quick", "--port", "page=http")
    assert (code, "NAME=NUMBER" in err) == (78, True)


def test_day_two_with_a_hospital_down_says_which(tmp_path: Path) -> None:
    """A hospital that went away is no defect of ours: no traceback."""
    (tmp_path / "lakeside").mkdir()
    (tmp_path / "lakeside" / "staff.token").write_text("token")
    port = free_port()
    hospital = Hospital.attach(tmp_path, "lakeside", port)
    with pytest.raises(TemporaryError, match=f"lakeside does not answer at port {port}"):
        hospital.read("Observation", "1")
    hospital.close()


def test_busy_port_ends_as_what_somebody_must_act_on(screen: Said) -> None:
    """3 has one meaning, and this is not it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        code, _, err = screen("registry", "serve", "--port", str(other.getsockname()[1]))
    assert code == 78
    assert "cannot be listened at" in err


COMMANDS = Path(mainstem.commands.__file__).parent


@pytest.mark.parametrize("path", sorted(COMMANDS.rglob("*.py")), ids=lambda path: str(path.relative_to(COMMANDS)))
def test_a_code_is_one_of_those_that_have_a_meaning(path: Path) -> None:
    """No command ends with a number of its own, and none promises one that is a defect's or nobody's: but for a measure's own."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    for call in (each for each in ast.walk(tree) if isinstance(each, ast.Call)):
        if ast.unparse(call.func) in ("typer.Exit", "sys.exit", "SystemExit") and call.args:
            assert not isinstance(call.args[0], ast.Constant), ast.unparse(call)
    for code in re.findall(r"[Ee]xit code (\d+)", text):
        assert ExitCode(int(code)) is not ExitCode.DONE
        assert ExitCode(int(code)) is not ExitCode.DEFECT or path.parent.name == "measures"


def test_readme_and_tutorial_list_every_code() -> None:
    """With the words of the code."""
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    listed = next(line for line in readme.splitlines() if "Exit codes:" in line).partition("Exit codes:")[2]
    assert [int(code) for code in re.findall(r"(?:^|·) ?(\d+) ", listed)] == [int(code) for code in ExitCode]
    tutorial = (REPOSITORY / "docs/tutorial.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\d+) \| (.+) \|$", tutorial, re.MULTILINE))
    assert rows == {str(int(code)): code.meaning for code in ExitCode}


def test_input_that_ends_and_a_reader_that_stops_have_codes_of_their_own(tmp_path: Path) -> None:
    """Ctrl-C or Ctrl-D at a question is no defect, nor is `| head`."""
    code, screen = played(["sites", "new"], [("Short name", "\x03")], folder=tmp_path, environment=dict(os.environ))
    assert code == ExitCode.INTERRUPTED, screen
    assert "stopped before all was answered" in screen
    assert not (tmp_path / "sites").exists()
    many = subprocess.run(
        ["bash", "-c", f"{MAINSTEM} sites keys | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (many.stdout, many.stderr) == ("141\n", "")


@pytest.mark.parametrize(
    ("number", "fix"),
    [(errno.ENOSPC, "Make room"), (errno.EROFS, "Give this user the right"), (errno.EMFILE, "ulimit -n")],
)
def test_what_the_machine_refuses_is_no_defect_of_ours(
    screen: Said, monkeypatch: pytest.MonkeyPatch, number: int, fix: str
) -> None:
    """Wherever it is met; the file's own name is not told, which may be of others."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), "/data/Jane Roe.ndjson")

    monkeypatch.setattr("mainstem.commands.terminal.print_json", refuse)
    monkeypatch.setattr("mainstem.commands.sites.print_json", refuse)
    code, _, err = screen("sites", "schema")
    assert (code, fix in err, "in /data:" in err, "Jane" in err) == (78, True, True, False)


def test_every_command_says_what_it_is_for() -> None:
    """And the group's help does not swallow a word in brackets."""
    import typer

    group: Any = typer.main.get_command(app)
    for name in group.commands:
        assert re.match(r"[A-Z]", group.commands[name].get_short_help_str(200)), name


def test_a_terminal_that_wants_no_colour_gets_none(tmp_path: Path) -> None:
    """An error is red, its fix green; the words alone say which is which."""
    colour = re.compile(r"\x1b\[[0-9;]*[349][0-9][;m]")
    plain = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    words = ("run", "nosuch.toml")
    (_, coloured), (_, without) = (wrote(words, [], tmp_path, chosen) for chosen in (plain, plain | {"NO_COLOR": "1"}))
    assert colour.search(coloured)
    assert not colour.search(without)
    assert "nosuch.toml" in without


def test_what_a_check_expects_of_the_first_load_is_what_it_reads(
    screen: Said, north: FaultyHospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resources and requests, counted at the server; beside its pages a load asks each type a little: is all there, are times heeded?"""
    monkeypatch.setenv("MAINSTEM_KAFKA", "127.0.0.1:1")  # what is read is not sent here
    for number in range(1, 61):
        north.put(*sound_child(number))
    path = tmp_path / "sites/north.toml"
    path.write_text(path.read_text() + "page_size = 10\n")
    told = re.search(r"about (\d+) resources in (\d+) requests of 10", screen("check", "north")[1])
    assert told is not None
    north.asked.clear()
    assert screen("run", "north")[0] == 75
    searches = [asked for asked in north.asked if asked.path in north.resources]
    pages = [asked for asked in searches if asked.value("_count") == "10" and not asked.value("_summary")]
    read = sum(len(found) for found in north.resources.values())
    assert (int(told[1]), int(told[2])) == (read, len(pages))
    assert len(searches) - len(pages) <= 3 * len(north.resources)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("MAINSTEM_DATABSE_URL", "MAINSTEM_DATABSE_URL is not read; did you mean MAINSTEM_DATABASE_URL?"),
        ("MAINSTEM_KAFKA_USER", "MAINSTEM_KAFKA_USER is not read; did you mean MAINSTEM_KAFKA_USERNAME?"),
        ("MAINSTEM_REQUIRE_KAFKA", ""),
        ("MAINSTEM_DEMO_PAGE_PORT", ""),
    ],
)
def test_a_variable_that_is_nearly_called_as_one_of_ours_is_told_once(
    screen: Said, monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    """What was meant stays as it is by default: the wrong database, in silence. Variables of tests and of the demo are left in peace."""
    monkeypatch.setenv(name, "x")
    code, out, err = screen("settings", "--json")
    assert (code, err.strip()) == (0, told)
    assert json.loads(out)["freshness_cron"] == ""


def test_what_a_check_of_the_brokers_found_is_written_as_a_page(
    screen: Said, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As that of a site is."""
    monkeypatch.setenv("MAINSTEM_KAFKA", "127.0.0.1:1")
    code, _, err = screen("check", "kafka", "--html", "kafka.html")
    page = (tmp_path / "kafka.html").read_text()
    assert (code, err) == (75, "wrote kafka.html\n")
    assert "<h1>Can the brokers be used?</h1>" in page
    assert "127.0.0.1:1" in page


def test_pools_are_written_to_a_file_that_is_told_once(
    screen: Said, north: FaultyHospital, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Shared by what this Airflow runs at once, where its own variable says how much."""
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "4")
    code, out, err = screen("sites", "pools", "--to", "pools.json")
    assert (code, out, err) == (0, "next: airflow pools import pools.json\n", "wrote pools.json\n")
    assert json.loads((tmp_path / "pools.json").read_text())["ehr_north"]["slots"] == 2
