"""`mainstem feedback`: the pages."""

from typing import Annotated

import typer

from mainstem.commands.terminal import read_settings, tell

group = typer.Typer()


@group.command()
def feedback(
    host: Annotated[str, typer.Option(help="Address to bind.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to bind.")] = 8071,
) -> None:
    """Serve the feedback pages: measures as control charts."""
    from services.pages.running import run

    current = read_settings()
    run(current.registry_url, network=current.network, host=host, port=port, names=current.host_names, say=tell)
