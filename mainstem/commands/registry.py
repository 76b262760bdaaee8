"""`mainstem registry`: the reference registry."""

from typing import Annotated

import typer

from mainstem.commands.terminal import read_settings, tell

group = typer.Typer(
    name="registry", help="The reference registry: events into relational tables.", no_args_is_help=True
)


@group.command("run")
def run() -> None:
    """Consume outcome events into the registry's tables until stopped."""
    from services.registry.running import run as run_registry

    current = read_settings()
    run_registry(current.kafka_settings(), current.network, current.registry_url, say=tell)


@group.command("rebuild")
def rebuild() -> None:
    """Empty the registry's current records; the next `mainstem registry run` fills them from the stream's beginning."""
    from services.registry.running import rebuild as rebuild_registry

    current = read_settings()
    rebuild_registry(current.kafka_settings(), current.network, current.registry_url)
    tell("the records are emptied; `mainstem registry run` fills them again")


@group.command("serve")
def serve(
    host: Annotated[str, typer.Option(help="Address to bind.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to bind.")] = 8070,
) -> None:
    """Serve the registry's read-only API and the events' schemas."""
    from services.registry.running import serve_api

    current = read_settings()
    serve_api(current.registry_url, host=host, port=port, names=current.host_names, say=tell)
