"""What others wrote steers no terminal: each word is one printable line of bounded length, and no markup, wherever it is shown."""

import ast
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner

import mainstem.commands
from mainstem.commands import app, run, status, terminal, topics
from mainstem.config.logs import configure
from mainstem.consumer.tail import Seen, _seen_load
from mainstem.kafka.topics import TopicFinding
from mainstem.state import SiteType
from schemas.errors import ExitCode, IncompleteError, MainstemError, OperatorError, TemporaryError
from schemas.loads import Gap, LoadReport, TypeCounts
from schemas.showing import LONGEST, shown

HOSTILE = {
    "closes a markup": "Epic [/bold] 2024",
    "opens a markup": "[bold red]Epic[link=https://evil.example]here",
    "clears the screen": "Epic\x1b[2J\x1b[H",
    "sets the title": "Epic\x1b]0;owned\x07",
    "one-byte control": "Epic\x9b2J\x9d0;owned\x9c",
    "rings and moves back": "Epic\a\b\b\b\b\r",
    "forges a line": "Epic\nok   log-in: fine\r\nerror: none",
    "turns the writing": "Epic\u202e\u2066evil\u2069",
    "breaks lines otherwise": "Epic\u2028one\u2029two\x85three\x0bfour\x0cfive",
    "hides": "Ep\u200bic\ufeff\u00ad\u2060",
    "ends the text": "Epic\0",
    "half a character": "Epic\ud800",
    "a megabyte": "Epic" * 250_000,
    "a megabyte of control": "\x1b" * 1_000_000,
    "placeholders": "{0}{self.__class__}%s%(x)s:smile:",
}
each = pytest.mark.parametrize("word", HOSTILE.values(), ids=HOSTILE)
SGR = re.compile(r"\x1b\[[0-9;]*m")
"""Colours, which are rich's own."""


def assert_harmless(output: str, *, lines: int) -> None:
    """Printable lines, as many as there should be at most, none of them endless."""
    rows = SGR.sub("", output).split("\n")
    assert [row for row in rows if not row.isprintable()] == []
    assert len([row for row in rows if row.strip()]) <= lines
    assert max(map(len, rows)) <= 2 * LONGEST + 500


@each
def test_a_word_is_shown_as_one_printable_line_of_bounded_length(word: str) -> None:
    """Shown twice it is the same, so that nobody has to know whether it was."""
    line = shown(word)
    assert line.isprintable()
    assert len(line) <= LONGEST
    assert shown(line) == line
    assert line.startswith(("Ep", "{0}", "[bold", "\\x1b"))


@each
@pytest.mark.parametrize("kind", [OperatorError, TemporaryError, IncompleteError])
def test_an_error_is_its_cause_and_its_fix(
    kind: type[MainstemError], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever raises it need not think of it: it is so from the beginning, for logs, XCom and answers too."""
    error = kind(f"the server says {word}", f"Ask {word}")
    assert error.cause.isprintable()
    assert error.fix.isprintable()
    terminal.print_error(error)
    assert_harmless(capsys.readouterr().err, lines=2)
    several = kind([f"line 1: {word}", f"line 2: {word}"])
    assert len(several.cause.split("\n")) == 2


@each
def test_lines_cells_and_styles_hold_words(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything a command can print with."""
    from rich.table import Table

    terminal.say(word)
    terminal.tell(word)
    terminal.stdout().print(word, soft_wrap=True)
    terminal.stdout().print(terminal.styled((word, "red"), word), soft_wrap=True)
    captured = capsys.readouterr()
    assert_harmless(captured.out + captured.err, lines=4)
    table = Table(word, box=None)
    table.add_row(word)
    table.add_row(terminal.styled((word, "yellow")))
    terminal.stdout().print(table)
    assert_harmless(capsys.readouterr().out, lines=100)  # cells are folded to the terminal's width
    terminal.print_json({word: word})
    assert_harmless(capsys.readouterr().out, lines=3) if len(word) < LONGEST else capsys.readouterr()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@each
def test_bars_hold_words(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit is named by whoever delivers it."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with terminal.progress_bars(quiet=False) as progress:
        progress("pull", word, 1)
    drawn = re.sub(r"\x1b\[(\?25[lh]|[0-9;]*[mKA])|\x1b\[1A|\r", "", screen.getvalue())
    assert_harmless(drawn, lines=200)
    assert "owned\x07" not in drawn


@each
def test_a_load_a_status_and_a_topic_are_printed(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What a server answered is a gap's reason; what a broker is set to is a cell."""
    gap = Gap(resource_type=word, reason=word)
    report = LoadReport(
        load="l",
        site="north",
        mode="full",
        status="partial",
        types={word: TypeCounts()},
        watermarks={},
        gaps=[gap],
        published=0,
        refused={word: 1},
    )
    run.print_report(report)
    assert_harmless(capsys.readouterr().out, lines=150)
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    row = SiteType("north", word, word, None, 1, 1, long_ago, 0, [gap], {word: 1}, "l", "completed", None)
    terminal.stdout().print(status.as_table([row], datetime.now(UTC)))
    assert_harmless(capsys.readouterr().out, lines=800)
    topics._print_findings([TopicFinding("lhn.outcome.v1", word, word, word, word)])
    assert_harmless(capsys.readouterr().out, lines=300)


@each
def test_an_event_is_shown_as_one_line(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Readable or as JSON, and where it cannot be read."""
    seen = Seen(
        datetime.now(UTC), word, "recorded", word, word, word, word, json.dumps({"v": word}).encode(), {word: word}
    )
    terminal.stdout().print(seen.text(), soft_wrap=True)
    terminal.stdout().print(seen.text(), soft_wrap=True)
    assert_harmless(capsys.readouterr().out, lines=2)
    assert seen.json().isascii()
    assert seen.json().isprintable()


@each
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_of_log_is_one_line(form: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a second line nor a field of its own."""
    configure(form)
    structlog.get_logger().warning("pull failed", cause=word, fix=word, reasons={word: 1}, found=[word], count=3)
    said = capsys.readouterr().err
    assert_harmless(said, lines=1) if len(word) < LONGEST else None
    assert said.count("\n") == 1
    assert len(said) < 20 * LONGEST
    if form == "json":
        assert json.loads(said)["count"] == 3


@pytest.mark.parametrize("value", [b"[" * 200_000, b"null", b'{"site": {"x": 1}}', b"\xff", b"", None])
def test_a_load_event_that_is_none_is_shown_as_unreadable(value: bytes | None) -> None:
    """Whoever may write to the topic may write anything."""
    record = SimpleNamespace(
        key=b"north", value=value, headers=[("ce_time", b"\x1b")], timestamp=0, partition=0, offset=1
    )
    assert _seen_load(record).operation == "unreadable"


class Server(BaseHTTPRequestHandler):
    """A FHIR server whose software is called what the test says."""

    word = ""

    def do_GET(self) -> None:
        software = {"name": self.word, "version": self.word}
        body = json.dumps(
            {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "software": software}
        ).encode()
        if "metadata" not in self.path:
            body = json.dumps({"resourceType": "OperationOutcome", "issue": [{"diagnostics": self.word}]}).encode()
        self.send_response(200 if "metadata" in self.path else 400)
        self.send_header("Content-Type", "application/fhir+json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Callable[[str], str]]:
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    listening.handle_error = lambda *_: None  # type: ignore[method-assign] # a client that has heard enough hangs up
    Thread(target=listening.serve_forever, daemon=True).start()

    def called(word: str) -> str:
        Server.word = word
        return f"http://127.0.0.1:{listening.server_port}/r4"

    yield called
    listening.shutdown()
    listening.server_close()


@each
@pytest.mark.timeout(60)
def test_check_and_run_survive_what_a_server_calls_itself(
    word: str, server: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They say it, and go on."""
    monkeypatch.setenv("KEY", "k" * 32)
    path = tmp_path / "north.toml"
    path.write_text(
        'site = "north"\nname = "N"\ntime_zone = "UTC"\nsubject_key = "env:KEY"\ntypes = ["Patient"]\nroad = "search"\n'
        f'[fhir]\nbase_url = "{server(word)}"\n'
    )
    environment = {
        "COLUMNS": "200",
        "MAINSTEM_DATABASE_URL": f"sqlite:///{tmp_path}/s.db",
        "MAINSTEM_LANDING": f"{tmp_path}/l",
    }
    for arguments in (["check"], ["--log", "text", "check"], ["check", "--json"], ["--log", "text", "run"]):
        structlog.reset_defaults()
        done = CliRunner().invoke(app, [*arguments, str(path)], env=environment)
        assert isinstance(done.exception, SystemExit | MainstemError), repr(done.exception)[:500]
        assert_harmless(done.output, lines=60)


@pytest.mark.parametrize(
    "word", [word for word in HOSTILE.values() if "\0" not in word and len(word) < 100 and "\ud800" not in word]
)
def test_files_that_are_called_so_are_named(word: str, tmp_path: Path) -> None:
    """By `map`, `check` and `sites`: a delivery's names are the deliverer's."""
    (tmp_path / "in").mkdir()
    name = word.replace("/", "_")
    (tmp_path / "in" / f"{name}.ndjson").write_text('{"resourceType":"Patient"}\n')
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / f"{name}.toml").write_text("site = 1\n")
    for arguments in (
        ["map", str(tmp_path / "in")],
        ["map", str(tmp_path / "in" / f"no{name}")],
        ["check", str(tmp_path / "sites" / f"{name}.toml")],
        ["check", str(tmp_path / f"no{name}.toml")],
        ["sites", "dags", str(tmp_path / "sites"), "--to", str(tmp_path / f"dags{name}")],
    ):
        done = CliRunner().invoke(app, arguments, env={"COLUMNS": "500"})
        assert_harmless(done.output, lines=20)
        if isinstance(done.exception, MainstemError):
            assert all(line.isprintable() for line in done.exception.causes)


def test_records_on_a_terminal_stay_json_and_steer_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`mainstem map` where a person looks; into a pipe the bytes go as they are."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    line = json.dumps({"text": "\x9b2J\u202e ü"}, ensure_ascii=False)
    terminal.json_lines().write(line.encode() + b"\n")
    assert screen.getvalue().rstrip("\n").isprintable()
    assert json.loads(screen.getvalue()) == json.loads(line)


BROKEN = """
import sys
from mainstem import commands
from mainstem.commands import terminal
text = open(sys.argv.pop()).read()
def broken():
    raise ValueError(text)
terminal.read_settings = broken
commands.main()
"""


def test_a_defect_shows_its_place_and_not_what_it_worked_on(tmp_path: Path) -> None:
    """The text of a library's error may hold a patient's data, a password or an escape sequence; by the command as it is run."""
    text = tmp_path / "text"
    text.write_text("Jane Doe \x1b[2J")
    said = subprocess.run(
        [sys.executable, "-c", BROKEN, "settings", text], capture_output=True, text=True, check=False, timeout=60
    )
    assert said.returncode == ExitCode.DEFECT
    assert "ValueError: a defect of Mainstem" in said.stderr
    assert "settings.py" in said.stderr
    assert "Doe" not in said.stderr + said.stdout
    assert "\x1b" not in said.stderr


def test_commands_print_by_the_functions_that_escape_alone() -> None:
    """A new command that prints by another way is found here."""
    ways = {"echo", "secho", "print", "Console"}
    for path in Path(mainstem.commands.__file__).parent.rglob("*.py"):
        if path.name in ("terminal.py", "demo.py"):  # the demo prints words of its own
            continue
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        direct = [call.id for call in calls if isinstance(call, ast.Name) and call.id in ways]
        of_typer = [ast.unparse(call) for call in calls if ast.unparse(call).startswith(("typer.echo", "typer.secho"))]
        assert direct + of_typer == [], path.name
