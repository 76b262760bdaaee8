"""`mainstem run` and `mainstem publish`: a site's refresh from the command line."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstem.commands.noticed import noticed
from mainstem.commands.terminal import (
    AsJson,
    SitePath,
    gap_lines,
    plain_table,
    print_json,
    progress_bars,
    read_settings,
    reason_fix,
    say,
    stdout,
    styled,
    tell,
)
from schemas.errors import ExitCode

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from schemas.loads import LoadQuality, LoadReport, Mode, TypeCounts

group = typer.Typer()
FIGURES = ("read", "mapped", "skipped", "records", "recorded", "amended", "withdrawn", "unchanged")
ALWAYS = ("read", "records")
"""Columns that stand there whatever they hold."""


@group.command(epilog="Example: mainstem run sites/north.toml --types Observation --full")
def run(
    site: SitePath,
    full: Annotated[bool, typer.Option("--full", help="Read everything again, not only what changed since.")] = False,
    types: Annotated[str, typer.Option(help="Only these resource types, separated by commas.")] = "",
    fresh: Annotated[bool, typer.Option("--fresh", help="Give up an unfinished load instead of taking it up.")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes that map a large type together, on PostgreSQL.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Refresh one site: plan, pull, map, derive, publish, complete. Run it again after any failure."""
    wanted = [name.strip() for name in types.split(",") if name.strip()]
    finish_run(
        site, mode="full" if full else "incremental", types=wanted, fresh=fresh, workers=workers, as_json=as_json
    )


def finish_run(
    site: Path,
    *,
    types: Sequence[str],
    as_json: bool,
    mode: "Mode" = "incremental",
    fresh: bool = False,
    workers: int | None = None,
) -> None:
    """Runs all steps and prints the report; exit code 3 where something is missing."""
    from mainstem.refresh import open_refresh
    from mainstem.refresh import run as run_refresh

    try:
        with (
            progress_bars(quiet=as_json) as progress,
            open_refresh(site, read_settings(), progress=progress, notice=tell) as refresh,
        ):
            report = run_refresh(refresh, mode=mode, types=types, fresh=fresh, workers=workers)
    except KeyboardInterrupt:
        tell("stopped; run it again: it takes up where it was")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        print_report(report)
    if report.status == "partial":
        raise typer.Exit(ExitCode.ATTENTION)


@group.command(epilog="Example: mainstem publish north")
def publish(site: SitePath) -> None:
    """Publish what is pending at a site, without reading its EHR."""
    from mainstem.refresh import open_refresh

    with (
        progress_bars(quiet=False) as progress,
        open_refresh(site, read_settings(), progress=progress, notice=tell) as refresh,
        refresh.publisher() as publisher,
    ):
        published = publisher.publish()
    say(f"{refresh.site.site}: {published.events:,} events published")


def print_report(report: "LoadReport") -> None:
    """A load's figures by type, what was skipped, what is missing."""
    console = stdout()
    console.print(_figures(report))
    if silent := [name for name, counts in report.types.items() if not any(_counted(counts).values())]:
        console.print(f"  nothing came of {', '.join(silent)}", soft_wrap=True)
    for line in _noticed(report):
        console.print(line, soft_wrap=True)
    taken_up = ", an unfinished load taken up" if report.resumed else ""
    again = f" by {report.replay}" if report.replay else ""
    console.print(
        f"{report.site}: {report.published:,} events published{again}, {report.status} in {report.seconds:.1f} s "
        f"(load {report.load}{taken_up})",
        soft_wrap=True,
    )


def _counted(counts: "TypeCounts") -> dict[str, int]:
    """A type's figures, by their names."""
    figures = {**counts.model_dump(), "skipped": sum(counts.skipped.values())}
    return {name: figures[name] for name in FIGURES}


def _figures(report: "LoadReport") -> "Table":
    """A line a type of which something came; a column that holds nothing is left out, so that a terminal has room."""
    total = _counted(report.total)
    names = [name for name in FIGURES if total[name] or name in ALWAYS]
    table = plain_table()
    table.add_column("type")
    for name in names:
        table.add_column(name, justify="right")
    for label, counts in report.types.items():
        figures = _counted(counts)
        if any(figures.values()):
            table.add_row(label, *(f"{figures[name]:,}" for name in names))
    table.add_row("all", *(f"{total[name]:,}" for name in names), style="bold")
    return table


def _noticed(report: "LoadReport") -> "Iterator[Text]":
    """What was skipped, noticed, refused or is missing, a line each."""
    total = report.total
    for reason, count in sorted(total.skipped.items()):
        yield styled(f"  skipped {count:,} × {reason}: {reason_fix(reason)}")
    where = ", of the lines that changed" if total.recognised else ""
    for line in noticed(total.flags, total.unmapped, where):
        yield styled(line)
    if total.recognised:
        yield styled(f"  {total.recognised:,} of {total.read:,} resources came as before and were not mapped again")
    for reason, count in sorted(report.refused.items()):
        yield styled("  ", ("refused", "yellow"), f" {count:,} × {reason}: each is tried again when its record changes")
    yield from gap_lines((gap.resource_type, gap) for gap in report.gaps)
    for gap in report.accepted:
        yield styled(f"  accepted as missing: {gap.resource_type}: {gap.reason}")
    for why, names in _alike(report.unjudged):
        yield styled(f"  nothing withdrawn for not having come, of {', '.join(names)}: {why}")
    if report.quality is not None:
        yield from _implausible(report.site, report.quality)
    for note in report.notes:
        yield styled("  ", ("note", "yellow"), f" {note}")


def _implausible(site: str, quality: "LoadQuality") -> "Iterator[Text]":
    """What was found of the persons whom the load touched; and that not all were judged, whatever was found."""
    if quality.found:
        counted = ", ".join(f"{count:,} × {name}" for name, count in sorted(quality.found.items()))
        yield styled("  ", ("implausible", "yellow"), f" {counted}: `mainstem quality --site {site}` says what to do")
    if quality.judged < quality.touched:
        yield styled(
            f"  judged {quality.judged:,} of {quality.touched:,} persons touched: `mainstem quality --site {site}` judges all"
        )


def _alike(reasons: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Reasons, each once, with the types they are of."""
    alike: dict[str, list[str]] = {}
    for name, why in reasons.items():
        alike.setdefault(why, []).append(name)
    return list(alike.items())
