"""`mainstem codes`: what a site's codes, units and questions mean, told back and mended by its own hands."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstem.commands.terminal import (
    AsJson,
    SiteOption,
    open_site,
    plain_table,
    print_json,
    say,
    stdout,
)
from schemas.errors import ExitCode, OperatorError
from schemas.showing import shown

if TYPE_CHECKING:
    from mainstem.commands.codes.gathering import Gathered, Local
    from mainstem.commands.codes.needs import Asked
    from mainstem.commands.codes.suggesting import Suggestion

group = typer.Typer(
    name="codes", help="Codes, units and questions without a meaning: list, suggest, check.", no_args_is_help=True
)
ToFile = Annotated[
    Path | None,
    typer.Option(
        "--csv", help="Write the rows for the site's code map here; `-`: to standard output.", show_default=False
    ),
]
Most = Annotated[int, typer.Option("--most", min=1, help="How many are shown; files and JSON hold all.")]
ValueSetFolder = Annotated[
    Path | None,
    typer.Option("--value-sets", help="The measures' value sets: a folder of FHIR ValueSets.", show_default=False),
]
Row = dict[str, Any]
FEW = 8
"""Codes that are named in a line."""


@group.command(epilog="Example: mainstem codes unmapped --site sites/north.toml --csv to-be-mapped.csv")
def unmapped(
    site: SiteOption,
    csv: ToFile = None,
    value_sets: ValueSetFolder = None,
    most: Most = 40,
    as_json: AsJson = False,
) -> None:
    """List what has no meaning at a site, what measures ask for first, then by frequency. Nothing leaves the site.

    Texts and units are looked for in what was landed. Fill in target_code in the file, `codes check` it, and name it as
    code_map in the site file; then `mainstem remap` applies it to what is stored.
    """
    rows, gathered, asked = _looked_up(site, value_sets, quiet=as_json)
    if as_json:
        print_json(
            {
                "codes": rows,
                "measures": asked,
                "looked_at": gathered.looked_at,
                "cut": sorted(gathered.cut),
                "waiting": gathered.waiting,
                "waiting_lines": gathered.waiting_lines,
            }
        )
        return
    if csv is not None:
        _write(csv, [_csv_row(row, "") for row in rows])
        return
    _print(rows, most, suggested=False)
    _print_rest(site, rows, gathered, asked, most)


@group.command(epilog="Example: mainstem codes suggest --site north --csv suggested.csv, then look at every line")
def suggest(
    site: SiteOption,
    csv: ToFile = None,
    value_sets: ValueSetFolder = None,
    most: Most = 40,
    as_json: AsJson = False,
) -> None:
    """Suggest what they may mean, from their texts, by a table that ships. Nothing is asked of anybody, nothing is applied.

    The file holds the likeliest for each that has one; a person at the site looks at every line.
    """
    rows, gathered, _ = _looked_up(site, value_sets, quiet=as_json)
    found = [row for row in rows if row["suggestions"]]
    if as_json:
        print_json({"codes": found, "without": len(rows) - len(found), "looked_at": gathered.looked_at})
        return
    if csv is not None:
        _write(csv, [_csv_row(row, row["suggestions"][0]["code"]) for row in found])
    else:
        _print(found, most, suggested=True)
    say(
        f"{len(found):,} of {len(rows):,} have a suggestion; a person who knows the codes looks at each",
        err=csv is not None,
    )


@group.command(epilog="Example: mainstem codes check north-codes.csv")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The code map's CSV file.", show_default=False)],
    shared: Annotated[
        Path | None, typer.Option(help="The network's code map: where both say otherwise is named.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a code map: forms and check digits, open lines, contradictions, targets without a unit. Exit code 78 with faults."""
    from mainstem.commands.codes.checking import check_file, overruled

    rows, findings = check_file(file)
    over = overruled(shared, rows) if shared else []
    faults = [each for each in findings if each.fault]
    if as_json:
        said = [{"line": each.line, "kind": each.kind, "said": each.said} for each in findings]
        print_json({"file": str(file), "usable": len(rows), "findings": said, "overruled": over})
    else:
        for each in findings:
            say(f"{file}:{each.line}: {each.kind}: {each.said}")
        for line in over:
            say(f"{file}: note: {line}")
        say(
            f"{len(rows):,} rows can be used; {len(faults):,} faults, {len(findings) - len(faults) + len(over):,} notes"
        )
    if faults:
        raise typer.Exit(ExitCode.ACT_FIRST)


def _looked_up(site: str, value_sets: Path | None, *, quiet: bool) -> "tuple[list[Row], Gathered, list[Row]]":
    from mainstem.commands.codes.gathering import gather
    from mainstem.commands.codes.needs import asked, needs

    wanted = asked(value_sets)
    with open_site(site, quiet=quiet) as refresh:
        gathered = gather(refresh)
        needed = needs(refresh)
    rows = [_row(local, wanted) for local in gathered.locals.values()]
    rows.sort(key=lambda row: (not row["measures"], -row["count"], row["system"], row["code"]))
    return rows, gathered, [each._asdict() for each in needed]


def _row(local: "Local", asked: "Asked") -> Row:
    from mainstem.commands.codes.suggesting import suggestions

    found = suggestions(local.target, [*local.shown_texts, local.code], sorted(local.units))
    return {
        "system": local.system,
        "code": local.code,
        "target_system": local.target,
        "count": local.count,
        "types": sorted(local.types),
        "texts": local.shown_texts,
        "units": sorted(local.units),
        "suggestions": [_as_suggested(each) for each in found[:3]],
        "measures": sorted({name for each in found for name in asked.get((local.target, each.code), ())}),
    }


def _as_suggested(found: "Suggestion") -> Row:
    return {"code": found.code, "how": found.how, "score": round(found.score, 2)}


def _csv_row(row: Row, target_code: str) -> str:
    from schemas.given_files import as_words
    from transforms.codes.code_map import csv_line

    said = [f"came {_times(row['count'])}", *(f"called {text}" for text in row["texts"][:1])]
    if target_code:
        said.append(f"suggested: {row['suggestions'][0]['how']}")
    cells = (row["system"], row["code"], row["target_system"], target_code, shown("; ".join(said)))
    return csv_line(*map(as_words, cells))


def _write(path: Path, lines: Sequence[str]) -> None:
    """Readable by its owner alone: texts are the hospital's own."""
    from transforms.codes.code_map import HEADER

    whole = (HEADER, *lines)
    if str(path) == "-":
        for line in whole:
            say(line)
        return
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in whole)
    except FileExistsError as exc:
        raise OperatorError(f"{path}: there is such a file", "Give another name: a map is work of people.") from exc
    except OSError as exc:
        raise OperatorError(f"{path}: cannot be written ({exc.strerror})", "Give another place.") from exc
    say(f"wrote {len(lines):,} rows to {path}; next: mainstem codes check {path}", err=True)


def _print(rows: Sequence[Row], most: int, *, suggested: bool) -> None:
    if not rows:
        return
    table = plain_table()
    table.add_column("count", justify="right")
    for name in ("of", "system", "code", "called", "unit", "may mean" if suggested else "wanted in", "asked for by"):
        table.add_column(name, overflow="fold")
    for row in rows[:most]:
        first = row["suggestions"][0] if row["suggestions"] else None
        meant = f"{first['code']} ({first['how']})" if suggested and first else row["target_system"]
        table.add_row(
            f"{row['count']:,}",
            ", ".join(row["types"]),
            row["system"] or "–",
            row["code"],
            row["texts"][0] if row["texts"] else "–",
            ", ".join(row["units"]) or "–",
            meant,
            ", ".join(row["measures"]) or "–",
        )
    stdout().print(table)


def _print_rest(site: str, rows: Sequence[Row], gathered: "Gathered", asked: Sequence[Row], most: int) -> None:
    if len(rows) > most:
        say(f"… and {len(rows) - most:,} more: --most, --csv")
    if gathered.cut:
        say(f"more was landed than was looked at for texts and units: {', '.join(sorted(gathered.cut))}")
    for measure, codes in _lacking(asked).items():
        more = f" and {len(codes) - FEW:,} more (--json)" if len(codes) > FEW else ""
        say(f"{measure} asks for what the site has no record of: {'; '.join(codes[:FEW])}{more}")
    total = sum(row["count"] for row in rows)
    if gathered.waiting:
        say(
            f"{gathered.waiting:,} that the code map names are left out: `mainstem remap --site {site}` applies it to what is stored"
        )
    if gathered.waiting_lines:
        say(
            f"{gathered.waiting_lines:,} refused for a unit that has a meaning now: `mainstem quarantine retry --site {site}` maps what was refused"
        )
    if rows:
        say(f"{len(rows):,} without a meaning, {_times(total)}")
    elif not (gathered.waiting or gathered.waiting_lines):
        say("everything that is stored has a meaning")


def _times(count: int) -> str:
    return f"{count:,} time{'s' if count != 1 else ''}"


def _lacking(asked: Sequence[Row]) -> dict[str, list[str]]:
    """By measure, what it asks for and the site has no record of."""
    found: dict[str, list[str]] = {}
    for need in asked:
        if not need["records"]:
            found.setdefault(need["measure"], []).append(" or ".join(code for _, code in need["codes"]))
    return found
