"""The catalogue of what the screen can say: each with what to do, by whom, and every command it names exists."""

import ast
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mainstem.commands import app
from mainstem.commands.messages.catalogue import catalogue

REPOSITORY = Path(__file__).parents[2]
ROOMS = ("schemas", "connectors", "transforms", "mainstem", "services", "dags")
NAMED = re.compile(r"`mainstem ([^`…]+)`|(?:^|[:,] )mainstem ((?:sites|check|run|map|settings)\b[^,.…]*)")


def texts(path: Path) -> list[str]:
    """Every string of a module, with placeholders for what is filled in."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "VALUE" for part in node.values]
            found.append("".join(map(str, parts)))
    return found


def commands() -> list[str]:
    """Every command named in a message, without repeats."""
    paths = [path for room in ROOMS for path in (REPOSITORY / room).rglob("*.py")]
    matches = (found for path in paths for text in texts(path) for found in NAMED.finditer(text))
    return sorted({(found[1] or found[2]).strip() for found in matches})


def test_commands_named_in_messages_exist() -> None:
    """Their words lead to a command, and their options are among that command's. One test: to find them costs each worker seconds."""
    named = commands()
    assert len(named) > 10
    assert "sites keys" in named
    for command in named:
        _exists(command)


def _exists(command: str) -> None:
    group = typer.main.get_command(app)
    words = []
    for word in command.split():
        if word not in getattr(group, "commands", {}):
            break
        words.append(word)
        group = group.commands[word]  # type: ignore[attr-defined]
    assert words, f"mainstem {command}"
    further = command.split()[len(words) :]
    assert not getattr(group, "commands", None) or not further or further[0].startswith("--"), f"mainstem {command}"
    said = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"})
    assert said.exit_code == 0
    for option in re.findall(r"(?<!\S)--[a-z-]+", command):
        assert option in said.output, f"mainstem {command}"


ASKS = re.compile(
    r"(?i)\b(ask|asks) (the )?(site'?s? it|site's it|ehr vendor)|report \w+[\w ]* to the ehr vendor|the site's it\b"
)
"""A fix is for who can apply it: it does not send them to themselves, nor to somebody else."""


WHO = ("site IT", "EHR vendor", "network", "the site's data manager", "nobody")


def test_a_message_says_what_to_do_and_who_can_do_it() -> None:
    """Whatever the cause: nobody is told "site IT: ask the site's IT", and nobody nothing."""
    assert len(catalogue()) > 500
    assert [each for each in catalogue() if not each.fix.strip() or each.who not in WHO] == []
    assert [each for each in catalogue() if ASKS.search(each.fix) or "!r" in each.cause] == []


@pytest.mark.parametrize(
    ("words", "who", "exit_code"),
    [
        ("to read it (403)", "site IT", 78),
        ("does not accept the log-in of", "network", 78),
        ("wants a log-in (401)", "network", 78),
        ("nothing answers at", "site IT", 75),
        ("sends fewer than", "site IT", 75),
        ("does not speak TLS", "network", 78),
        ("the TLS certificate of … …", "site IT", 78),
        ("is not trusted", "network", 78),
        ("Mainstem reads R4", "EHR vendor", 78),
        ("paging links go in a circle", "EHR vendor", 0),
        ("no such folder: …", "site IT", 78),
        ("no such site file", "network", 78),
    ],
)
def test_who_follows_the_cause(words: str, who: str, exit_code: int) -> None:
    """A refusal of rights is the site's, a wrong address or secret of ours ours, a server that is not FHIR R4 its maker's."""
    found = [each for each in catalogue() if words in each.cause]
    assert found, words
    assert {(each.who, each.exit_code) for each in found} == {(who, exit_code)}


OURS = ("TemporaryError", "OperatorError", "IncompleteError", "MainstemError", "ValueError")


@pytest.mark.slow
def test_no_message_is_a_python_value() -> None:
    """Words, not what `repr` makes of them."""
    calls = [node for room in ROOMS for path in (REPOSITORY / room).rglob("*.py") for node in _raised(path)]
    shown = [part for call in calls for part in ast.walk(call) if isinstance(part, ast.FormattedValue)]
    assert len(shown) > 200
    assert [ast.unparse(part.value) for part in shown if part.conversion == ord("r")] == []


def _raised(path: Path) -> list[ast.Raise]:
    found = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [node for node in found if isinstance(node, ast.Raise) and ast.unparse(node.exc or node).startswith(OURS)]
