"""`mainstem deletes`: withdrawals too many to be made unasked: list, release."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from mainstem.commands.terminal import (
    AsJson,
    OnlySite,
    SitePath,
    opened_state,
    print_json,
    read_settings,
    require_known,
    say,
)
from schemas.errors import ExitCode, OperatorError

group = typer.Typer(name="deletes", help="Withdrawals that wait for a word: list, release.", no_args_is_help=True)


@group.command("list", epilog="Example: mainstem deletes list --site north --json")
def list_deletes(site: OnlySite = None, as_json: AsJson = False) -> None:
    """List what a full read lacked of a site's types and was not withdrawn. Exit code 3 where something waits."""
    settings = read_settings()
    with opened_state(settings.database_url) as store:
        require_known(site, store, settings)
        names = [site] if site else store.sites()
        rows: list[dict[str, Any]] = [
            {"site": name, **each._asdict()} for name in names for each in store.absences.of(name)
        ]
    if as_json:
        print_json(rows)
    for row in [] if as_json else rows:
        waits = "released, withdrawn by the next full read" if row["released"] else "waits"
        gone = f"{row['absent']:,} of {row['held']:,} gone from the EHR" if row["held"] else "what the EHR lacks"
        say(f"{row['site']} {row['resource_type']}: {gone}; {waits}")
    if not rows and not as_json:
        say("nothing waits")
    if any(not row["released"] for row in rows):
        raise typer.Exit(ExitCode.ATTENTION)


@group.command(epilog="Example: mainstem deletes release sites/north.toml Condition")
def release(
    site: SitePath,
    resource_type: Annotated[str, typer.Argument(metavar="TYPE", help="The resource type.")],
    beforehand: Annotated[
        bool,
        typer.Option(
            "--beforehand",
            help="Before anything waits: a new EHR has all history of the type, so whatever its first full read lacks is gone; an "
            "export or a delivery counts too, where it comes whole.",
        ),
    ] = False,
) -> None:
    """Say that it is true: the next full read withdraws what it lacks of the type."""
    from mainstem.refresh import open_refresh

    with open_refresh(site, read_settings()) as refresh:
        name = refresh.site.site
        if beforehand:
            _require_type(refresh.site.types, resource_type, name)
            refresh.store.absences.release_beforehand(name, resource_type, datetime.now(UTC))
            say(
                f"{name}: what the next full read lacks of {resource_type} is withdrawn; next: mainstem run {site} --full"
            )
            return
        released = refresh.store.absences.release(name, resource_type, datetime.now(UTC))
    say(f"{name}: {released.absent:,} of {resource_type} are withdrawn by the next run, unless they come")


def _require_type(types: list[str], resource_type: str, site: str) -> None:
    if resource_type not in types:
        raise OperatorError(f"{site} does not read {resource_type}", f"Its types are {', '.join(types)}.")
