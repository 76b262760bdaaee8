"""`mainstem gaps`: what is missing of a site, and what to do about it: wait, read it again, or accept it."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstem.commands.run import finish_run
from mainstem.commands.terminal import (
    AsJson,
    OnlySite,
    SitePath,
    opened_state,
    print_json,
    read_settings,
    require_known,
    say,
    stdout,
    styled,
)
from schemas.errors import ExitCode, OperatorError

if TYPE_CHECKING:
    from mainstem.state import State

group = typer.Typer(name="gaps", help="What is missing of a site: list, retry, accept.", no_args_is_help=True)


@group.command("list", epilog="Example: mainstem gaps list --site north --json")
def list_gaps(site: OnlySite = None, as_json: AsJson = False) -> None:
    """List the open gaps: type, window, cause, what to do and who; and what was accepted. Exit code 3 with open gaps."""
    settings = read_settings()
    with opened_state(settings.database_url) as store:
        require_known(site, store, settings)
        rows = _rows(store, site)
    if as_json:
        print_json(rows)
    else:
        _print(rows)
    if any(not row["accepted"] for row in rows):
        raise typer.Exit(ExitCode.ATTENTION)


@group.command(epilog="Example: mainstem gaps retry sites/north.toml --types Condition")
def retry(
    site: SitePath,
    types: Annotated[str, typer.Option(help="Only these of the types with gaps, separated by commas.")] = "",
    as_json: AsJson = False,
) -> None:
    """Read the types with gaps again, now, from where each is complete."""
    from mainstem.refresh import open_refresh

    wanted = {name.strip() for name in types.split(",") if name.strip()}
    with open_refresh(site, read_settings()) as refresh:
        name, gaps = refresh.site.site, refresh.store.gaps.of(refresh.site.site)
    open_types = sorted({gap.resource_type for gap in gaps})
    if unknown := sorted(wanted - set(open_types)):
        raise OperatorError(
            f"{name}: no gap of {', '.join(unknown)}", f"There are gaps of: {', '.join(open_types) or 'no type'}."
        )
    if not open_types:
        say(f"{name}: no gaps")
        return
    finish_run(site, types=[each for each in open_types if not wanted or each in wanted], as_json=as_json)


@group.command(epilog='Example: mainstem gaps accept sites/north.toml Condition --reason "the clinic exports none"')
def accept(
    site: SitePath,
    resource_type: Annotated[str, typer.Argument(metavar="TYPE", help="The resource type.")],
    reason: Annotated[str, typer.Option(help="Why it may be missing; kept at the site. No patient data.")],
) -> None:
    """Accept that a type is missing: loads are no longer partial by it, until its cause is another or it comes."""
    from mainstem.refresh import open_refresh

    if not reason.strip():
        raise OperatorError("--reason is empty", "Say why the type may be missing, for whoever reads it next year.")
    with open_refresh(site, read_settings()) as refresh:
        gaps = refresh.store.gaps.accept(refresh.site.site, resource_type, reason.strip(), datetime.now(UTC))
        name = refresh.site.site
    say(f"{name}: {resource_type} is accepted as missing ({', '.join(sorted({gap.cause for gap in gaps}))})")


def _rows(store: "State", site: str | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name in [site] if site else store.sites():
        rows += [{"site": name, **gap.model_dump(mode="json"), "accepted": None} for gap in store.gaps.of(name)]
        for each in store.gaps.acceptances(name):
            row = {"site": name, "resource_type": each.resource_type, "cause": each.cause, "accepted": each.reason}
            rows.append({**row, "since": each.at.isoformat()})
    return rows


def _print(rows: list[dict[str, Any]]) -> None:
    console = stdout()
    for row in rows:
        head = (f"{row['site']} {row['resource_type']}", "bold")
        if row["accepted"] is not None:
            console.print(styled(head, f": accepted ({row['cause']}): {row['accepted']}"), soft_wrap=True)
            continue
        since = row["since"] or "the beginning"
        console.print(styled(head, (f" {row['cause']}", "yellow"), f" since {since}: {row['reason']}"), soft_wrap=True)
        console.print(styled(("  fix:", "bold green"), f" {row['fix']} ({row['who']})"), soft_wrap=True)
    if not rows:
        say("no gaps")
