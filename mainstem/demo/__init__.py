"""A network of three hospitals on one machine: synthetic children, real servers, broker, database, registry and page.

And `known`: a network of eight whose truth is known, in a registry alone, by which charts and pages are judged.

On top of all rooms but the commands: imported by them and by the tests, by nobody else. `network` starts it, `refreshing` and
`second_day` are what happens in it; `embedded` holds the parts. Nothing else needs it to run.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from mainstem.demo.known import Fed


def run(*, quick: bool, state: Path, console: "Console", ports: Mapping[str, int]) -> None:
    """Run the demo until Ctrl-C; with `quick` without Airflow, day two included, then it ends."""
    from mainstem.demo.network import run as run_network

    run_network(quick=quick, state=state, console=console, ports=ports)


def run_day_two(*, state: Path, console: "Console") -> None:
    """Change three things at the hospitals of the running demo, refresh them, show what travelled; then once more."""
    from mainstem.demo.second_day import day_two

    day_two(state=state, console=console)


def known_network(registry: str) -> Iterator["Fed"]:
    """Fill an empty registry with the network whose truth is known, site by site; what came of each."""
    from mainstem.demo.known import feed
    from services.registry.database import open_registry

    engine = open_registry(registry)
    try:
        yield from feed(engine)
    finally:
        engine.dispose()
