"""`mainstem ascertain`: the site's own list of its cohort against what is held, and what reached the registry."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstem.commands.terminal import AsJson, SitePath, print_json, private_csv, read_settings, say
from schemas.errors import ExitCode

if TYPE_CHECKING:
    from mainstem.refresh.ascertain import Ascertained

group = typer.Typer()


@group.command(epilog="Example: mainstem ascertain sites/north.toml ibd-clinic.csv --registry")
def ascertain(
    site: SitePath,
    listed: Annotated[
        Path,
        typer.Argument(
            metavar="LIST.csv",
            help="CSV with the columns patient (FHIR id) and month: what the EHR itself says who is in the cohort.",
            show_default=False,
        ),
    ],
    registry: Annotated[
        bool, typer.Option("--registry", help="Compare with the registry too (`MAINSTEM_REGISTRY_URL`).")
    ] = False,
    subjects: Annotated[
        Path | None,
        typer.Option(help="Also write each of them as CSV: pseudonym, month, reason, detail.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Who of the site's own list of patients is missing: by month and reason, with what to do. Exit code 3 when somebody is.

    The list is read and not kept; counts and pseudonyms are told.
    """
    from mainstem.refresh import open_refresh
    from mainstem.refresh.ascertain import ascertain as found_out
    from mainstem.refresh.ascertain import read_list, rows

    settings = read_settings()
    with open_refresh(site, settings) as refresh:
        name = refresh.site.site
        found = found_out(refresh, read_list(listed), _at_registry(settings.registry_url, name) if registry else None)
    if subjects is not None:
        with private_csv(subjects) as file:
            file.writerows(rows(found))
    told = _told(name, found)
    if as_json:
        print_json(told)
    else:
        _print(told)
    if told["missing"]:
        raise typer.Exit(ExitCode.ATTENTION)


def _at_registry(url: str, site: str) -> set[str]:
    from sqlalchemy import select

    from services.registry.database import connect, reading
    from services.registry.tables import RECORD_TABLES

    row = RECORD_TABLES["person"].c
    engine = connect(url)
    try:
        with reading(engine) as connection:
            return set(connection.scalars(select(row.subject).where(row.site == site)))
    finally:
        engine.dispose()


def _told(site: str, found: "Ascertained") -> dict[str, object]:
    from mainstem.refresh.ascertain import HELD, REASONS

    months = found.by_month()
    reasons = {reason: sum(each[reason] for each in months.values()) for reason in (HELD, *REASONS)}
    present = reasons[HELD] + reasons["merged"]
    return {
        "site": site,
        "listed": len(found.told),
        "held": present,
        "missing": len(found.told) - present,
        "not_listed": found.beyond,
        "months": {month: dict(counts) for month, counts in months.items()},
        "reasons": [
            {"reason": reason, "count": reasons[reason], "fix": fix, "who": who}
            for reason, (fix, who) in REASONS.items()
            if reasons[reason]
        ],
    }


def _print(told: dict[str, object]) -> None:
    say(
        f"{told['site']}: {told['listed']:,} listed, {told['held']:,} held, {told['missing']:,} missing; "
        f"{told['not_listed']:,} held who are not on the list"
    )
    months, reasons = told["months"], told["reasons"]
    assert isinstance(months, dict)
    assert isinstance(reasons, list)
    for month, counts in months.items():
        say(f"  {month}: " + ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts.items())))
    for each in reasons:
        say(f"  {each['count']:,} × {each['reason']}: {each['fix']} ({each['who']})")
