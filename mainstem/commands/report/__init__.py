"""`mainstem report`: what is told to a site, on the terminal, as a page, as a spreadsheet."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstem.commands.terminal import AsJson, SiteOption, open_site, plain_table, print_json, say, stdout, write_file

if TYPE_CHECKING:
    from mainstem.commands.report.gathering import DataReport

group = typer.Typer()
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for more than words."""


@group.command(epilog="Example: mainstem report --site north --html north.html --csv north.csv")
def report(
    site: SiteOption,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page here.", show_default=False)] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write all lines here.", show_default=False)] = None,
    contested: Annotated[
        Path | None,
        typer.Option(
            "--contested",
            metavar="FILE.csv",
            help="Contested records from a file of the pages' (Contested, All lines as CSV), in place of asking the pages.",
            show_default=False,
        ),
    ] = None,
    loads: Annotated[int, typer.Option(min=1, max=100, help="Loads of the trend.")] = 14,
    as_json: AsJson = False,
) -> None:
    """Tell a site what could not be used: line by line, with what to do and who; what was withdrawn for it; how it goes.

    It names resources by the hospital's own references: it is for people at the site, and stays there. With MAINSTEM_PAGES_ADDRESS and
    MAINSTEM_PAGES_TOKEN set it tells too what clinicians contest on the network's pages, each record by its own reference.
    """
    from mainstem.commands.report.gathering import gather

    with open_site(site, quiet=as_json) as refresh:
        told, docs = gather(refresh, loads=loads, contests=contested), refresh.settings.docs_address
    if html is not None:
        from mainstem.commands.report.page import page

        write_file(html, page(told, docs))
    if csv is not None:
        _write_rows(csv, told)
    if as_json:
        print_json(_as_json(told))
    elif html is None and csv is None:
        _print(told)


def _write_rows(path: Path, told: "DataReport") -> None:
    from csv import DictWriter
    from io import StringIO

    from mainstem.commands.report.gathering import Line

    out = StringIO()
    writer = DictWriter(out, list(Line.COLUMNS))
    writer.writeheader()
    for line in told.lines:
        writer.writerow({name: _as_words(value) for name, value in line.as_row().items()})
    write_file(path, out.getvalue())


def _as_words(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _as_json(told: "DataReport") -> dict[str, Any]:
    return {
        "site": told.site,
        "made": told.made,
        "lines": [line.as_row() for line in told.lines],
        "groups": [
            {
                "reason": each.reason.value,
                "field": each.field,
                "count": each.count,
                "parts": each.parts,
                "who": each.who,
            }
            for each in told.groups
        ],
        "loads": [
            {
                "load": each.load.id,
                "kind": each.kind,
                "read": each.read,
                "mapped": each.mapped,
                "unusable": each.unusable,
                "expected": each.expected,
                "parts_left_out": each.parts,
                "withdrawn": each.withdrawn,
                "source_unusable": each.source_unusable,
                "reasons": dict(each.reasons),
            }
            for each in told.trend
        ],
        "unmapped": {"codes": told.unmapped_codes, "records": told.unmapped_records},
        "conformance": {
            "judged": told.judged,
            "of": told.trend[0].read if told.trend else 0,
            "rules": [each._asdict() for each in told.rules],
        },
        "contested": [each._asdict() for each in told.contested],
        "types": [each._asdict() for each in told.came],
        "gaps": [gap.model_dump(mode="json") for gap in told.gaps],
        "notes": told.notes,
    }


def _print_types(told: "DataReport") -> None:
    """What never came, and what is whole up to when, the latest first."""
    if told.never:
        say(f"  never came, so unknown and not zero: {', '.join(told.never)}")
    for moment in sorted({each.whole_up_to for each in told.came if each.whole_up_to}, reverse=True):
        names = (each for each in told.came if each.whole_up_to == moment)
        shown = (f"{each.resource_type}{' (none there)' if each.state.endswith('none') else ''}" for each in names)
        say(f"  whole up to {moment:%Y-%m-%d %H:%M} UTC: {', '.join(shown)}")


def _print(told: "DataReport") -> None:
    """What to do, then the trend; the lines are for files."""
    table = plain_table()
    table.add_column("count", justify="right")
    for name in ("reason", "field", "what to do", "who"):
        table.add_column(name, overflow="fold")
    for each in told.groups:
        table.add_row(f"{each.count:,}", each.reason.value, each.field, each.reason.fix, each.who)
    if told.groups:
        stdout().print(table)
    withdrew = sum(line.withdrawn for line in told.lines)
    parts = sum(line.part for line in told.lines)
    say(f"{told.site}: resources without a record: {len(told.lines) - parts:,}; parts of others: {parts:,}")
    if withdrew:
        say(f"  what stood before was withdrawn: of {withdrew:,}")
    if told.unmapped_codes:
        say(
            f"  codes without a meaning: {told.unmapped_codes:,}, on records: {told.unmapped_records:,} (`mainstem codes`)"
        )
    if told.judged:
        read = told.trend[0].read
        say(
            f"  checked in full against FHIR R4 and US Core: {told.judged:,} of the {read:,} resources that the last load read"
        )
    for broken in told.rules:
        say(f"    {broken.found:,} × {broken.rule}{' (US Core must-have)' if broken.must_have else ''}")
    _print_types(told)
    for each_told in told.trend:
        reasons = ", ".join(f"{count:,} × {code}" for code, count in each_told.reasons)
        say(
            f"  {each_told.load.started:%Y-%m-%d %H:%M} {each_told.kind}: read {each_told.read:,} = mapped {each_told.mapped:,}"
            f" + unusable {each_told.unusable:,} + nothing to do {each_told.expected:,}; withdrawn {each_told.withdrawn:,}"
            f"{f' ({each_told.source_unusable:,} for being unusable)' if each_told.source_unusable else ''}"
            f"{f'; {reasons}' if reasons else ''}"
        )
    for each_contested in told.contested:
        named = each_contested.reference or f"{each_contested.type} {each_contested.record} ({each_contested.where})"
        answer = each_contested.answer or f"waits for an answer, on the pages: /contested/{told.site}"
        say(f"  contested {named}: {each_contested.reason}; {answer}")
    for note in told.notes:
        say(f"  note {note}")
