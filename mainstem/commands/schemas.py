"""`mainstem schemas`: the contract as JSON Schemas."""

from pathlib import Path
from typing import Annotated

import typer

from mainstem.commands.terminal import say

group = typer.Typer()


@group.command(epilog="Example: mainstem schemas --to contract --catalogue events.md")
def schemas(
    to: Annotated[Path, typer.Option(help="Folder to write the JSON Schemas and the AsyncAPI document to.")],
    catalogue: Annotated[Path | None, typer.Option(help="File to write the readable catalogue to.")] = None,
    release: Annotated[
        Path | None, typer.Option(help="Folder in which this version's contract is kept for later ones to be held to.")
    ] = None,
) -> None:
    """Write the contract: JSON Schemas of events, site files and reason codes, AsyncAPI, and a catalogue for people."""
    from mainstem import __version__
    from schemas.contract.released import is_contract
    from schemas.generate import event_catalogue, generated

    files = generated()
    _write(to, files)
    if release is not None:
        _write(release / __version__, {name: text for name, text in files.items() if is_contract(name)})
    if catalogue is not None:
        catalogue.parent.mkdir(parents=True, exist_ok=True)
        catalogue.write_text(event_catalogue(), encoding="utf-8")
    say(f"{len(files)} files in {to}")


def _write(to: Path, files: dict[str, str]) -> None:
    to.mkdir(parents=True, exist_ok=True)
    for stale in {path.name for path in to.iterdir() if path.suffix in (".json", ".yaml")} - set(files):
        (to / stale).unlink()
    for name, text in files.items():
        (to / name).write_text(text, encoding="utf-8")
