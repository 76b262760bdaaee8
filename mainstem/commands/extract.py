"""`mainstem extract`: what researchers are given."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from secrets import token_bytes
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstem.commands.terminal import progress_bars, read_settings, say
from schemas.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.registry.extracting import AtTier, Extracted

group = typer.Typer()


@group.command(
    epilog="Example: mainstem extract --tier 2 --cohort 34000006 --cohort K50 --asked 'growth in Crohn' --to extracts/growth"
)
def extract(
    to: Annotated[Path, typer.Option("--to", help="A new folder; its owner's alone.", show_default=False)],
    asked: Annotated[str, typer.Option(help="What it is for: stands in the log of disclosures.", show_default=False)],
    tier: Annotated[
        int, typer.Option(min=1, max=2, help="1: as the registry has it; 2: Safe Harbor, for research.")
    ] = 2,
    cohort: Annotated[
        list[str] | None,
        typer.Option(help="People with this condition: SNOMED CT, or an ICD-10-CM category; may be given again."),
    ] = None,
    types: Annotated[str, typer.Option(help="Record types, separated by commas; all where absent.")] = "",
) -> None:
    """Write a cohort's current records as Parquet, with a dictionary and a manifest; the disclosure is logged for each person.

    Nobody leaves who withdrew from research. At tier 2 dates leave as years, postcodes as their first three digits, ages from 90 on as 90,
    ids as others that hold within this extract alone; a cohort of fewer than eleven is refused.
    """
    from schemas.outcomes import RECORD_TYPES
    from services.registry.database import open_registry, reading
    from services.registry.extracting import extract as write

    wanted = [name.strip() for name in types.split(",") if name.strip()] or list(RECORD_TYPES)
    if unknown := sorted(set(wanted) - set(RECORD_TYPES)):
        raise OperatorError(f"no record type {', '.join(unknown)}", f"There are {', '.join(RECORD_TYPES)}.")
    if to.exists():
        raise OperatorError(f"{to} is there already", "Give a new folder: an extract is never added to.")
    settings = read_settings()
    engine = open_registry(settings.registry_url)
    try:
        with reading(engine) as connection, progress_bars(quiet=False) as bar:
            done = write(
                connection,
                to,
                tier=tier,
                types=wanted,
                codes=cohort or [],
                at_tier=_at_tier(tier),
                moved=partial(bar, "extract"),
            )
    finally:
        engine.dispose()
    _log(settings.access_url, asked, done)
    say(f"{to}: {done.written.total():,} records of {len(done.subjects):,} people; {done.held.total():,} held back")


def _at_tier(tier: int) -> "AtTier":
    from mainstem.commands.map.tiers import surrogate, years
    from transforms.codes.systems import known_systems
    from transforms.privacy.field_policy import REGISTRY_TIER
    from transforms.privacy.tiers import Tier

    if tier == REGISTRY_TIER:
        return lambda record, _born: record
    oldest = datetime.now(UTC).year - 89
    forms = {"year": partial(years, since=oldest), "recode": partial(surrogate, key=token_bytes(32))}
    made = Tier(tier, forms=forms, public=known_systems())

    def at(record: "Mapping[str, Any]", born: str | None) -> "Mapping[str, Any] | None":
        return made.of(record, born=born)

    return at


PEOPLE_A_ROW = 500


def _log(access_url: str, asked: str, done: "Extracted") -> None:
    """Of each person: so that their family reads who used their data."""
    from services.access.database import AccessDatabase
    from services.access.viewers import Role, Viewer
    from services.access.views import Views

    database, people = AccessDatabase.open(access_url), sorted(done.subjects)
    try:
        viewer = Viewer(f"extract: {asked[:200]}", "", frozenset({Role.RESEARCHER}))
        for place in range(0, len(people), PEOPLE_A_ROW):
            Views(database).note("told", viewer, "extract", subjects=people[place : place + PEOPLE_A_ROW])
    finally:
        database.close()
