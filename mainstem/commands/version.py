"""`mainstem version`."""

import typer

from mainstem.commands.terminal import say

group = typer.Typer()


@group.command(epilog="Example: mainstem version")
def version() -> None:
    """Print the version."""
    from mainstem import __version__

    say(f"mainstem {__version__}")
