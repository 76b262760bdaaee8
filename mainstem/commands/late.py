"""Commands by name, each imported and made when it is asked for: a start pays for one of them, `--help` for none."""

import inspect
import os
import sys
from collections.abc import Iterator, MutableMapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_command_name, solve_typer_info_help
from typer.models import TyperInfo

from schemas.errors import ExitCode


class Late(TyperGroup):
    """What the files of a folder give: the commands of each file's `group`, below its name where it has one."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = _Commands(__package__)

    def invoke(self, ctx: Any) -> Any:
        """The command that is asked for. How it was stopped by others is told by the code of that alone; typer's are 1."""
        try:
            found = super().invoke(ctx)
            sys.stdout.flush()
        except typer.Abort:
            typer.echo("stopped before all was answered; nothing was written", err=True)
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still to be written goes nowhere
            raise typer.Exit(ExitCode.PIPE_CLOSED) from None
        return found

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in the order of the files."""
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Their names and what each is for."""
        told = {name: TyperCommand(name, help=text) for group in _groups(__package__) for name, text in _told(group)}
        TyperGroup(commands=dict(told)).format_commands(ctx, formatter)


class _Commands(MutableMapping[str, Any]):
    """Name → command."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made |= _made(self._giving(name))
        return self._made[name]

    def _giving(self, name: str) -> typer.Typer:
        """The group that gives a command: nearly always that of the file of its name, the one that is imported then."""
        if name in _files(self._folder) and (group := _group(self._folder, name)) and name in dict(_told(group)):
            return group
        for group in _groups(self._folder):
            if name in dict(_told(group)):
                return group
        raise KeyError(name)

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return (name for group in _groups(self._folder) for name, _ in _told(group))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@cache
def _files(folder: str) -> tuple[str, ...]:
    return tuple(found.name for found in iter_modules(import_module(folder).__path__))


def _group(folder: str, file: str) -> typer.Typer | None:
    group: typer.Typer | None = getattr(import_module(f"{folder}.{file}"), "group", None)
    return group


def _groups(folder: str) -> Iterator[typer.Typer]:
    return (group for file in _files(folder) if (group := _group(folder, file)) is not None)


def _told(group: typer.Typer) -> list[tuple[str, str]]:
    """The commands that a file gives, and what each is for."""
    if isinstance(group.info.name, str):
        return [(group.info.name, solve_typer_info_help(TyperInfo(group)))]
    return [
        (each.name or get_command_name(each.callback.__name__), each.help or inspect.getdoc(each.callback) or "")
        for each in group.registered_commands
        if each.callback is not None
    ]


def _made(group: typer.Typer) -> dict[str, Any]:
    """A file's commands, as if they had been added to a group of many."""
    around = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    around.add_typer(group)
    made = get_command(around)
    assert isinstance(made, TyperGroup)
    return dict(made.commands)
