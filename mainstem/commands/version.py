"""`mainstem version`."""

import typer

group = typer.Typer()


@group.command()
def version() -> None:
    """Print the version."""
    from mainstem import __version__

    typer.echo(f"mainstem {__version__}")
