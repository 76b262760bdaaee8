"""What somebody else wrote, as the argument of any command: it is refused in a sentence, ends nothing by a traceback, steers no terminal."""

from collections.abc import Iterator
from typing import Any

import pytest
from screens import Said
from typer.main import get_command

from mainstem.commands import app
from schemas.errors import ExitCode

HOSTILE = '\x1b[31m[/bold]{0}%s"""\' OR 1=1 --\n../../x\u202e'
GIVEN = {"site": "north", "site_file": "north", "name": "north"}


def takers() -> Iterator[tuple[str, ...]]:
    """Of each command each argument and each option that takes a text, given what somebody else wrote."""
    for words, command in commands((), get_command(app)):
        arguments = [each for each in command.params if each.param_type_name == "argument"]
        if arguments:
            yield (*words, *(HOSTILE for each in arguments if each.required or each is arguments[0]))
        sound = [GIVEN.get(str(each.name), HOSTILE) for each in arguments if each.required]
        for option in command.params:
            if option.param_type_name == "option" and not (option.is_flag or option.count):
                yield (*words, *sound, max(option.opts, key=len), HOSTILE)


def commands(words: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Words and command, below a group."""
    if not hasattr(command, "commands"):
        yield words, command
        return
    for name in list(command.commands):
        yield from commands((*words, name), command.commands[name])


@pytest.mark.parametrize("words", list(takers()), ids=lambda words: " ".join(word for word in words if word != HOSTILE))
def test_what_somebody_else_wrote_ends_no_command_by_a_traceback(
    screen: Said, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """In a folder where nothing is yet, with a broker that is refused at once: it speaks no TLS."""
    monkeypatch.setenv("MAINSTEM_KAFKA", "broker.example:9092")
    code, out, err = screen(*words)
    assert code in set(ExitCode) - {ExitCode.DEFECT}, err
    assert "Traceback" not in err
    assert [line for line in (out + err).expandtabs().splitlines() if not line.isprintable()] == []


@pytest.mark.parametrize("place", [("--host", HOSTILE), ("--host", "256.1.1.1"), ("--port", "65536"), ("--port", "-1")])
@pytest.mark.parametrize("words", [("registry", "serve"), ("metrics", "--serve"), ("home",), ("feedback", "serve")])
def test_an_address_that_is_none_is_refused(screen: Said, words: tuple[str, ...], place: tuple[str, str]) -> None:
    code, _, err = screen(*words, *place)
    assert code in (ExitCode.USAGE, ExitCode.ACT_FIRST), err
