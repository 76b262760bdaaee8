"""`mainstem status`: each site with its last attempt, then each of its resource types; for people, as JSON, as a page."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstem.commands.terminal import (
    AsJson,
    OnlySite,
    gap_lines,
    opened_state,
    plain_table,
    print_json,
    read_settings,
    require_known,
    say,
    stdout,
    styled,
    told_to,
)
from schemas.errors import ExitCode, OperatorError

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from mainstem.state import SiteType
    from mainstem.state.site_status import SiteStatus

group = typer.Typer()
SITE_HEADS = ("site", "state", "last attempt (UTC)", "last whole load", "took", "next load (UTC)")
HEADS = ("site", "type", "fresh until (UTC)", "records", "waiting", "refused", "gaps", "quarantine")
FIGURES = ("records", "waiting", "refused")
COLOURS = {"ok": "green", "running": "green", "never loaded": ""}
"""Of a state; all others are yellow. The word says the same without."""

REFUSED = (
    "too large to send (over 1 MB). Nothing waits for them; each is tried again when its record changes, so let the source "
    "send less for it."
)


@group.command(epilog="Example: mainstem status --site north --html north.html")
def status(
    site: OnlySite = None,
    every: Annotated[bool, typer.Option("--all", help="All sites, as without --site.")] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page here.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Show each site: state, last attempt and its cause, how long it took against its own past, next load; and each type: fresh until, records, gaps, what waits.

    Exit code 3 where something needs attention: an attempt that failed or was interrupted, a site that is late, gaps, refused changes.
    """
    from mainstem.state.site_status import gather

    if every and site is not None:
        raise OperatorError("--all and --site ask for different things", "Give one of them.")
    settings = read_settings()
    with opened_state(settings.database_url) as store:
        require_known(site, store, settings)
        found = gather(store, settings, datetime.now(UTC), site)
    if html is not None:
        from mainstem.commands.status.page import write_page

        write_page(html, found, settings.docs_address)
    if as_json:
        print_json(as_json_rows(found))
    elif html is None:
        _print(found)
    if any(each.needs_attention for each in found):
        raise typer.Exit(ExitCode.ATTENTION)


def _print(found: "Sequence[SiteStatus]") -> None:
    if not found:
        say("no site yet: `mainstem sites new` writes the first, `mainstem run` loads it")
        return
    console, now = stdout(), datetime.now(UTC)
    console.print(as_site_table(found, now))
    for each in found:
        for line in troubles(each):
            console.print(line, soft_wrap=True)
    rows = [row for each in found for row in each.rows if not row.silent]
    if rows:
        console.print()
        console.print(as_table(rows, now))
    for silent in _silent([row for each in found for row in each.rows]):
        console.print(silent, soft_wrap=True)
    for line in gap_lines((f"{row.site} {row.resource_type}", gap) for row in rows for gap in row.gaps):
        console.print(line, soft_wrap=True)
    if refused := sum(row.refused for row in rows):
        say(f"{refused:,} changes refused: {REFUSED}")


def troubles(found: "SiteStatus") -> "Iterator[Text]":
    """Why a site is not as it should be, with what to do and who can do it."""
    for cause, fix, who in found.troubles:
        yield styled("  ", (found.site, "bold"), f": {cause}")
        yield styled(("      fix:", "bold green"), f" {fix}{told_to(who)}")


def _silent(rows: "Sequence[SiteType]") -> list[str]:
    """The types of which nothing ever came, a line a site."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.silent:
            found.setdefault(row.site, []).append(row.resource_type)
    return [f"{site}: nothing came yet of {', '.join(names)}" for site, names in found.items()]


def as_json_rows(found: "Sequence[SiteStatus]") -> list[dict[str, Any]]:
    """A row a type, each with what is known of its site; of a site that was never loaded one row without a type."""
    rows = []
    for each in found:
        of_site = {
            "state": each.state,
            "attempt": each.attempt._asdict() if each.attempt else None,
            "whole_load_began": each.whole_from,
            "took_seconds": each.pace.took.total_seconds() if each.pace else None,
            "usually_seconds": each.pace.usual.total_seconds() if each.pace and each.pace.usual is not None else None,
            "late_since": each.late_since,
            "next_load": each.next_load,
        }
        rows += [
            {**row._asdict(), "gaps": [gap.model_dump(mode="json") for gap in row.gaps], **of_site} for row in each.rows
        ] or [{"site": each.site, "resource_type": None, **of_site}]
    return rows


def as_site_table(found: "Sequence[SiteStatus]", now: datetime) -> "Table":
    """A line a site; the state in words, its colour beside."""
    table = plain_table(*SITE_HEADS)
    for each in found:
        table.add_row(
            each.site,
            styled((each.state, COLOURS.get(each.state, "yellow"))),
            told_attempt(each),
            f"{ago(now - each.whole_from)} ago" if each.whole_from else "none",
            styled((told_pace(each), "yellow")) if each.pace and each.pace.slow else told_pace(each),
            f"{each.next_load:%Y-%m-%d %H:%M}" if each.next_load else "–",
        )
    return table


def told_pace(found: "SiteStatus") -> str:
    """How long the last whole load took, against its own past."""
    if found.pace is None:
        return "–"
    usual = f" (usually {ago(found.pace.usual)})" if found.pace.usual is not None else ""
    return f"{ago(found.pace.took)}{usual}"


def told_attempt(found: "SiteStatus") -> str:
    """When the last attempt began, and how it ended."""
    attempt = found.attempt
    if attempt is None:
        return "–"
    how = {None: found.state, 0: "completed", 3: "partial"}.get(attempt.exit_code, f"failed ({attempt.exit_code})")
    return f"{attempt.began:%Y-%m-%d %H:%M}, {how}"


def as_table(rows: "Sequence[SiteType]", now: datetime) -> "Table":
    """A line a type; what needs attention is yellow."""
    table = plain_table()
    for head in HEADS:
        table.add_column(head, justify="right" if head in FIGURES else "left")
    for row in rows:
        table.add_row(*_cells(row, now))
    return table


def _cells(row: "SiteType", now: datetime) -> tuple["str | Text", ...]:
    pending: str | Text = f"{row.pending:,}"
    if row.oldest_pending is not None:
        pending = styled((f"{row.pending:,} ({ago(now - row.oldest_pending)})", "yellow"))
    refused = styled((f"{row.refused:,}", "yellow")) if row.refused else "–"
    gaps = styled((", ".join(dict.fromkeys(gap.cause or gap.reason for gap in row.gaps)), "yellow"))
    quarantined = ", ".join(f"{count:,} {reason}" for reason, count in sorted(row.quarantined.items()))
    return (
        row.site,
        row.resource_type,
        fresh_until(row, now),
        f"{row.records:,}",
        pending,
        refused,
        gaps or "–",
        quarantined or "–",
    )


def fresh_until(row: "SiteType", now: datetime) -> str:
    """Up to when what is there is complete; what is derived has no time of its own."""
    if row.watermark is None:
        return "with its inputs" if row.resource_type == row.record_type else "not loaded"
    return f"{row.watermark:%Y-%m-%d %H:%M}, {ago(now - row.watermark)} ago"


def ago(age: timedelta) -> str:
    """`40 s`, `12 min`, `3 h`, `5 d`."""
    seconds = max(0, round(age.total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
