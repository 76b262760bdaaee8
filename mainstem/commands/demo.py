"""`mainstem demo`: a network of three hospitals on this machine; and one of eight whose truth is known, for the pages."""

from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import OperatorError

group = typer.Typer(
    name="demo",
    help="A network of three hospitals on this machine.",
    invoke_without_command=True,
    epilog="Examples: mainstem demo; mainstem demo --quick; mainstem demo --port page=9071",
)
State = Annotated[Path, typer.Option(help="Where the demo keeps its databases, keys and hospitals.")]


@group.callback()
def demo(
    context: typer.Context,
    quick: Annotated[
        bool, typer.Option("--quick", help="The same work without Airflow, day two included, then exit.")
    ] = False,
    state: State = Path("var/demo"),
    port: Annotated[
        list[str] | None,
        typer.Option(
            "--port",
            help="Another port of a part, as page=9071; parts: airflow, page, registry, kafka, lakeside, harbor.",
        ),
    ] = None,
) -> None:
    """Three hospitals, a broker, a database, the registry, the page and Airflow on 127.0.0.1, until Ctrl-C."""
    if context.invoked_subcommand is None:
        from rich.console import Console

        from mainstem.demo import run as run_demo

        run_demo(quick=quick, state=state, console=Console(), ports=dict(map(_port, port or [])))


def _port(given: str) -> tuple[str, int]:
    name, _, number = given.partition("=")
    if not number.isdigit() or not 0 < int(number) < 65536:
        raise OperatorError(f"--port {given} names no port", "Give NAME=NUMBER, such as page=9071.")
    return name, int(number)


@group.command("day-two", epilog="Example: mainstem demo day-two")
def day_two(state: State = Path("var/demo")) -> None:
    """While the demo is up: one value corrected, one observation in error, one new patient; then nothing."""
    from rich.console import Console

    from mainstem.demo import run_day_two

    run_day_two(state=state, console=Console())


@group.command("network", epilog="Example: mainstem demo network --registry sqlite:///var/known.db")
def network(
    registry: Annotated[
        str, typer.Option(help="URL of an empty registry database, SQLite or PostgreSQL.")
    ] = "sqlite:///var/known.db",
) -> None:
    """Fill a registry with eight synthetic sites over 36 months: two that improved, one that got worse, one whose feed broke."""
    from mainstem.commands.terminal import say
    from mainstem.demo import known_network

    for fed in known_network(registry):
        say(f"{fed.site:<12} {fed.events:>7,} events")
    say(
        f"Look at it, as whom you choose: MAINSTEM_DEMO_ROLES=birchwood MAINSTEM_REGISTRY_URL={registry} mainstem feedback"
    )
