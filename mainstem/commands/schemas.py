"""`mainstem schemas`: the contract as JSON Schemas."""

from pathlib import Path
from typing import Annotated

import typer

from mainstem.commands.terminal import say

group = typer.Typer()


@group.command()
def schemas(to: Annotated[Path, typer.Option(help="Folder to write the JSON Schemas to.")]) -> None:
    """Write the JSON Schemas of events, site files and reason codes."""
    from schemas.generate import generated

    to.mkdir(parents=True, exist_ok=True)
    files = generated()
    for stale in {path.name for path in to.glob("*.json")} - set(files):
        (to / stale).unlink()
    for name, text in files.items():
        (to / name).write_text(text, encoding="utf-8")
    say(f"{len(files)} schemas in {to}")
