"""What the commands share: where they print, bars for people, the settings they work with."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schemas.errors import MainstemError

if TYPE_CHECKING:
    from rich.console import Console

    from mainstem.config.settings import Settings
    from mainstem.refresh import Progress

SitePath = Annotated[Path, typer.Argument(metavar="SITE", help="The site's TOML file.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output on standard output.")]


def print_error(exc: MainstemError) -> None:
    """Cause and fix, on standard error."""
    from rich.markup import escape

    console = stderr()
    console.print(f"[bold red]error:[/] {escape(exc.cause)}", soft_wrap=True, highlight=False)
    if exc.fix:
        console.print(f"[bold green]  fix:[/] {escape(exc.fix)}", soft_wrap=True, highlight=False)


def stderr() -> "Console":
    """For people, and for what is not the result."""
    from rich.console import Console

    return Console(stderr=True)


def stdout() -> "Console":
    """For the result."""
    from rich.console import Console

    return Console()


def tell(line: str) -> None:
    """One line on what goes on, on standard error."""
    stderr().print(line, soft_wrap=True, highlight=False, markup=False)


def print_json(value: Any) -> None:
    """The result for machines."""
    import json

    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def read_settings(**given: object) -> "Settings":
    """The environment, for a command that reaches database or broker; such commands log, so logs are set up."""
    from mainstem.config.logs import configure_once
    from mainstem.config.settings import load_settings

    configure_once()
    return load_settings(**given)


@contextmanager
def progress_bars(*, quiet: bool) -> Iterator["Progress"]:
    """Bars for people: one line a step and type, on standard error, only where somebody looks."""
    if quiet or not sys.stderr.isatty():
        yield lambda _step, _unit, _count: None
        return
    from rich.progress import Progress as Bars
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    tasks: dict[str, Any] = {}
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<34}"),
        TextColumn("{task.completed:>12,}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=stderr(), transient=True) as bars:

        def show(step: str, unit: str, count: int) -> None:
            label = f"{step:<8} {unit}"
            if label not in tasks:
                tasks[label] = bars.add_task(label, total=None)
            bars.update(tasks[label], completed=count)

        yield show


def reason_fix(reason: str) -> str:
    """What a reason code means and what can be done."""
    from schemas.problems import Reason

    found = Reason[reason.upper().replace("-", "_")]
    return f"{found.meaning} {found.fix}"
