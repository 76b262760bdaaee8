"""`mainstem status`: each site and resource type in a line, for people and as JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstem.commands.terminal import (
    AsJson,
    gap_lines,
    plain_table,
    print_json,
    read_settings,
    require_known,
    say,
    stdout,
    styled,
)

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from mainstem.state import SiteType

group = typer.Typer()
HEADS = ("site", "type", "complete up to", "records", "pending", "refused", "gaps", "quarantined", "last load")

REFUSED = (
    "too large to send (over 1 MB). Nothing waits for them; each is tried again when its record changes, so let the source "
    "send less for it."
)


@group.command()
def status(site: Annotated[str | None, typer.Option(help="Only this site.")] = None, as_json: AsJson = False) -> None:
    """Show each site and type: watermark, records, pending changes, gaps, quarantine."""
    from mainstem.state import State

    settings = read_settings()
    store = State.open(settings.database_url)
    try:
        store.migrate()
        require_known(site, store, settings)
        rows = store.status(site)
    finally:
        store.close()
    if as_json:
        print_json(as_json_rows(rows))
    elif rows:
        console = stdout()
        console.print(as_table([row for row in rows if not row.silent], datetime.now(UTC)))
        for silent in _silent(rows):
            console.print(silent, soft_wrap=True)
        for line in gap_lines((f"{row.site} {row.resource_type}", gap) for row in rows for gap in row.gaps):
            console.print(line, soft_wrap=True)
        if refused := sum(row.refused for row in rows):
            say(f"{refused:,} changes refused: {REFUSED}")
    else:
        say("nothing has been loaded yet: mainstem run sites/<site>.toml")


def _silent(rows: Sequence["SiteType"]) -> list[str]:
    """The types of which nothing ever came, a line a site."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.silent:
            found.setdefault(row.site, []).append(row.resource_type)
    return [f"{site}: nothing came yet of {', '.join(names)}" for site, names in found.items()]


def as_json_rows(rows: Sequence["SiteType"]) -> list[dict[str, Any]]:
    """Plain JSON values."""
    return [{**row._asdict(), "gaps": [gap.model_dump(mode="json") for gap in row.gaps]} for row in rows]


def as_table(rows: Sequence["SiteType"], now: datetime) -> "Table":
    """A table for a terminal; what needs attention is yellow."""

    table = plain_table()
    for head in HEADS:
        table.add_column(head, justify="right" if head in ("records", "pending", "refused") else "left")
    for row in rows:
        table.add_row(*_cells(row, now))
    return table


def _cells(row: "SiteType", now: datetime) -> tuple["str | Text", ...]:
    upto = f"{row.watermark:%Y-%m-%d %H:%M}Z, {ago(now - row.watermark)} ago" if row.watermark else "not loaded"
    pending: str | Text = f"{row.pending:,}"
    if row.oldest_pending is not None:
        pending = styled((f"{row.pending:,} ({ago(now - row.oldest_pending)})", "yellow"))
    refused = styled((f"{row.refused:,}", "yellow")) if row.refused else "–"
    gaps = styled((", ".join(dict.fromkeys(gap.cause or gap.reason for gap in row.gaps)), "yellow"))
    quarantined = ", ".join(f"{count:,} {reason}" for reason, count in sorted(row.quarantined.items()))
    load = f"{row.load_status}" if row.load else "–"
    return (
        row.site,
        row.resource_type,
        upto,
        f"{row.records:,}",
        pending,
        refused,
        gaps or "–",
        quarantined or "–",
        load,
    )


def ago(age: timedelta) -> str:
    """`40 s`, `12 min`, `3 h`, `5 d`."""
    seconds = max(0, round(age.total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
