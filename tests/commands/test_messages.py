"""What our messages tell people to type exists."""

import ast
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mainstem.commands import app

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


@pytest.mark.parametrize("command", commands())
def test_a_command_named_in_a_message_exists(command: str) -> None:
    """Its words lead to a command, and its options are among that command's."""
    group = typer.main.get_command(app)
    words = []
    for word in command.split():
        if word not in getattr(group, "commands", {}):
            break
        words.append(word)
        group = group.commands[word]  # type: ignore[attr-defined]
    assert words, f"mainstem {command}"
    assert not getattr(group, "commands", None) or len(words) == len(command.split()), f"mainstem {command}"
    said = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"})
    assert said.exit_code == 0
    for option in re.findall(r"(?<!\S)--[a-z-]+", command):
        assert option in said.output, f"mainstem {command}"


def test_messages_were_found() -> None:
    """The search itself works."""
    assert len(commands()) > 10
    assert "sites keys" in commands()
