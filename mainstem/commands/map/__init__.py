"""`mainstem map`: a mapping tried on files."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstem.commands.naming import site_names
from mainstem.commands.noticed import noticed
from mainstem.commands.terminal import json_lines, named_site, progress_bars, reason_fix, say
from schemas.errors import IncompleteError

if TYPE_CHECKING:
    from mainstem.commands.map.files import Trial

group = typer.Typer()
_NAMED = 20


@group.command("map", epilog="Example: mainstem map export/ --problems problems.jsonl > records.jsonl")
def map_files(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", help="NDJSON files (.ndjson, .ndjson.gz) or folders.", show_default=False),
    ],
    site: Annotated[
        Path | None,
        typer.Option(
            "--site",
            help="The site, by its TOML file or name: its key, time zone and code map. Without: a throwaway key and UTC.",
            callback=named_site,
            autocompletion=site_names,
        ),
    ] = None,
    problems: Annotated[
        Path | None, typer.Option(help="Write what could not be mapped here, a JSON line each.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="With --problems: all that FHIR R4's own rules find wrong.")
    ] = False,
    derive: Annotated[
        bool,
        typer.Option(
            "--derive", help="After them the values that a person's records give together: z-scores, scores …"
        ),
    ] = False,
    tier: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=3,
            help="Show what of each record would leave: 1 to the registry, 2 in a research extract, 3 to be counted in tables.",
        ),
    ] = None,
) -> None:
    """Try a mapping: FHIR NDJSON in, outcome records as JSON lines out. Needs no broker and no database."""
    from mainstem.commands.map.files import map_paths

    if site is None:
        say(
            "no --site: ids are made with a key that is thrown away, times without a zone are read as UTC; "
            "the records are for looking at, not for keeping",
            err=True,
        )
    with progress_bars(quiet=False) as progress:
        trial = map_paths(
            paths,
            site,
            out=json_lines(),
            problems=problems,
            explain=explain,
            derive=derive,
            tier=tier,
            progress=progress,
        )
    _say_what_became(trial, derive=derive, tier=tier)
    if not trial.mapped and not trial.withdrawn:
        raise IncompleteError("nothing could be mapped", "Give files of FHIR R4 resources, one a line.")


def _say_what_became(trial: "Trial", *, derive: bool, tier: int | None) -> None:
    skipped = sum(trial.skipped.values())
    withdrawn = f" + withdrawn {trial.withdrawn:,}" if trial.withdrawn else ""
    derived = f" + {trial.derived:,} derived" if derive else ""
    say(
        f"read {trial.read:,} = mapped {trial.mapped:,}{withdrawn} + skipped {skipped:,}; {trial.records:,} records{derived}",
        err=True,
    )
    if tier is not None:
        _say_leaving(tier, trial.leaving, trial.held)
    if trial.not_read:
        _say_not_read(trial.not_read)
    for path, count in sorted(trial.dropped.items()):
        say(f"  left out {count:,} × {path}, which could not be used; the rest of the resource stands", err=True)
    for reason, count in sorted(trial.parts_skipped.items()):
        say(f"  left out {count:,} parts × {reason}; their panels stand", err=True)
    for reason, count in sorted(trial.skipped.items()):
        say(f"  skipped {count:,} × {reason}: {reason_fix(reason)}", err=True)
    if trial.other_types:
        _say_needed(trial.other_types)
    for line in noticed(trial.flags, trial.unmapped):
        say(line, err=True)


def _say_leaving(tier: int, leaving: Counter[str], held: Counter[str]) -> None:
    say(f"at tier {tier} {leaving.total():,} records leave, {held.total():,} are held back", err=True)
    for name, count in sorted(held.items()):
        say(
            f"  held back {count:,} × {name}: no field of it leaves, or a code that a teenager may keep private",
            err=True,
        )


def _say_needed(other_types: Mapping[str, int]) -> None:
    from schemas.outcomes import needed_by

    for name, count in sorted(other_types.items()):
        if needing := ", ".join(needed_by(name)):
            say(f"    of these {count:,} × {name}: needed by {needing}, which a later version makes of it", err=True)


def _say_not_read(names: Sequence[str]) -> None:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    say(f"  not read, for what their names end in: {', '.join(names[:_NAMED])}{more}; name them one by one", err=True)
