"""Commands by name, each imported and made when it is asked for: a start pays for one of them, `--help` for none.

What the files give stands in `listed.tsv`, written by `make generated`; a file that is not in it is imported.
"""

import inspect
import os
import re
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_command_name, solve_typer_info_help
from typer.models import TyperInfo

FOLDER = Path(__file__).parent
LISTED = FOLDER / "listed.tsv"
"""A line a command: its file, its name, what it is for; and one for a file that gives none."""

FOR = {
    "Connect a hospital": ("sites", "keys", "check", "map", "codes"),
    "Each night": ("run", "publish", "status", "gaps", "deletes", "metrics"),
    "What could not be used": ("report", "quarantine", "quality", "remap", "ascertain"),
    "The stream": ("topics", "tail", "trace", "replay", "reconcile", "restore", "consumers", "dlq", "schemas"),
    "Patients, and what they permit": ("consent", "subjects", "resolve", "audit"),
    "At the centre": ("registry", "measures", "feedback", "home", "extract", "views"),
    "Statistics, on files of yours": ("charts", "funnel", "derive"),
    "This installation": ("settings", "messages", "db", "demo", "version"),
}
"""What somebody comes for → the commands, in the order in which they are needed."""
SHORT = 14
"""Characters that may tell what a command is for, before a colon."""


class Late(TyperGroup):
    """What the files of a folder give: the commands of each file's `group`, below its name where it has one."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = _Commands()

    def invoke(self, ctx: Any) -> Any:
        """The command that is asked for. How it was stopped by others is told by the code of that alone; typer's are 1."""
        try:
            found = super().invoke(ctx)
            sys.stdout.flush()
        except typer.Abort:
            from mainstem.commands.terminal import say
            from schemas.errors import ExitCode

            with suppress(OSError):  # the terminal may be gone
                say("stopped before all was answered; nothing was written", err=True)
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except BrokenPipeError:
            from schemas.errors import ExitCode

            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still to be written goes nowhere
            raise typer.Exit(ExitCode.PIPE_CLOSED) from None
        return found

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in the order of the files."""
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Their names by what they are for, those of no heading last."""
        left = {name: text for told in given().values() for name, text in told.items()}
        headed = {heading: {name: left.pop(name) for name in names if name in left} for heading, names in FOR.items()}
        for heading, found in {**headed, "More": left}.items():
            if found:
                with formatter.section(heading):
                    formatter.write_dl([(name, _in_short(text)) for name, text in found.items()])


class _Commands(MutableMapping[str, Any]):
    """Name → command."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            file = next((file for file, told in given().items() if name in told), None)
            if file is None:
                raise KeyError(name)
            self._made |= _made(file)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return (name for told in given().values() for name in told)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _in_short(text: str) -> str:
    """What a command is for, up to where it goes into particulars."""
    begun = re.split(r"[.:;](?: |$)", text)[0]
    return begun if len(begun) >= SHORT else re.split(r"\.(?: |$)", text)[0]


def listing() -> str:
    """What stands in `listed.tsv`."""
    lines = []
    for file in _files():
        lines += [(file, name, " ".join(text.split())) for name, text in _told(file).items()] or [(file, "", "")]
    return "".join("\t".join(line) + "\n" for line in lines)


def write_listing() -> None:
    """For `make generated`."""
    LISTED.write_text(listing(), encoding="utf-8")


@cache
def given() -> dict[str, dict[str, str]]:
    """File → the commands that it gives, and what each is for."""
    listed: dict[str, dict[str, str]] = {}
    for line in LISTED.read_text(encoding="utf-8").splitlines():
        file, name, text = line.split("\t")
        listed.setdefault(file, {}).update({name: text} if name else {})
    return {file: listed[file] if file in listed else _told(file) for file in _files()}


def _files() -> list[str]:
    folder = sorted(FOLDER.iterdir())
    files = (each.stem for each in folder if each.suffix == ".py" and each.stem != "__init__")
    return sorted([*files, *(each.name for each in folder if (each / "__init__.py").is_file())])


def _group(file: str) -> typer.Typer | None:
    group: typer.Typer | None = getattr(import_module(f"{__package__}.{file}"), "group", None)
    return group


def _told(file: str) -> dict[str, str]:
    """The commands that a file gives, and what each is for."""
    group = _group(file)
    if group is None:
        return {}
    if isinstance(group.info.name, str):
        return {group.info.name: solve_typer_info_help(TyperInfo(group))}
    return {
        each.name or get_command_name(each.callback.__name__): each.help or inspect.getdoc(each.callback) or ""
        for each in group.registered_commands
        if each.callback is not None
    }


def _made(file: str) -> dict[str, Any]:
    """A file's commands, as if they had been added to a group of many."""
    around = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    group = _group(file)
    assert group is not None
    _name_sites_alike(group)
    around.add_typer(group)
    made = get_command(around)
    assert isinstance(made, TyperGroup)
    return dict(made.commands)


def _name_sites_alike(group: typer.Typer) -> None:
    from mainstem.commands.naming import OfSite

    for command in group.registered_commands:
        command.cls = OfSite
    for below in group.registered_groups:
        if below.typer_instance is not None:
            _name_sites_alike(below.typer_instance)
