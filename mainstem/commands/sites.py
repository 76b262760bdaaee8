"""`mainstem sites`: site files and what is made from them."""

from pathlib import Path
from typing import Annotated

import typer

from mainstem.commands.terminal import plain_table, say, stdout
from schemas.errors import OperatorError

group = typer.Typer(name="sites", help="Site files and what is made from them.", no_args_is_help=True)


@group.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Short name of the site: lower case, digits, hyphens.")],
    base_url: Annotated[str | None, typer.Option(help="FHIR base URL of the site's server.")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Folder of NDJSON files, where there is no server to read.")
    ] = None,
    time_zone: Annotated[str, typer.Option(help="IANA time zone of the site.")] = "America/New_York",
    to: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("sites"),
) -> None:
    """Write a site file and its pseudonym key."""
    from mainstem.config.new_site import write_site

    path = write_site(name, to, base_url=base_url, folder=folder, time_zone=time_zone)
    say(f"wrote {path}")
    say(f"next: mainstem check {path}")


@group.command("keys")
def keys() -> None:
    """List every key a site file can have."""
    from schemas.sites import site_keys

    table = plain_table("Key", "Default", "Meaning")
    for row in site_keys():
        table.add_row(*row)
    stdout().print(table)


@group.command("dags")
def dags(
    folder: Annotated[Path, typer.Argument(help="Folder of the site files.")] = Path("sites"),
    to: Annotated[Path, typer.Option(help="Airflow's DAG folder.")] = Path("dags"),
) -> None:
    """Write each site's DAG stubs, and remove those of sites that are gone."""
    from mainstem.config.dag_stubs import faults, write_stubs

    for line in write_stubs(folder, to):
        say(line)
    if broken := faults(folder):
        raise OperatorError(broken, "Correct the file; until then its DAG fails at once and says so.")
