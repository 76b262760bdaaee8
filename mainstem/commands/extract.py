"""`mainstem extract`: what researchers are given, once the sites whose data it is have approved."""

import hmac
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from secrets import token_bytes
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstem.commands.terminal import progress_bars, read_settings, say
from schemas.errors import OperatorError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from services.research.extracting import AtTier, Extracted, Moved, Wanted
    from services.research.requests import Request

group = typer.Typer()
OLDEST = 89
MOST_DAYS = 365
LEAVES = {
    "keep": "as the registry has it",
    "withhold": "nothing",
    "year": "the year; none that tells an age over 89",
    "age90": "ages over 89 as 90",
    "zip3": "three digits; 000 where 20,000 people or fewer live",
    "known": "codes of public systems",
    "recode": "an id of this extract alone",
    "count": "counts of persons",
    "summary": "nothing",
}
"""What leaves of a field, by the word of the field policy."""
MOVED = "the day, moved by 1 to 365 days, a person's all by the same; none that tells an age over 89"
COUNTS = 3
"""The tier of which no row is a person."""


class Form(StrEnum):
    """In which model."""

    OCDM = "ocdm"
    OMOP = "omop"


class Dates(StrEnum):
    """What is done with dates at tier 2."""

    YEAR = "year"
    SHIFT = "shift"


@group.command(epilog="Example: mainstem extract omop --request 0f3c… --dates shift --to extracts/growth --duckdb")
def extract(
    form: Annotated[Form, typer.Argument(help="ocdm: our own model. omop: OMOP CDM 5.4.")],
    request: Annotated[
        str, typer.Option(help="The request, as the page Research names it; its sites approve it there.")
    ],
    to: Annotated[Path, typer.Option("--to", help="A new folder; its owner's alone.", show_default=False)],
    tier: Annotated[
        int | None, typer.Option(min=1, max=3, help="As it was asked; another one is refused.", show_default=False)
    ] = None,
    cohort: Annotated[
        list[str] | None, typer.Option(help="As it was asked; another one is refused.", show_default=False)
    ] = None,
    types: Annotated[str, typer.Option(help="Record types, separated by commas; all where absent.")] = "",
    dates: Annotated[
        Dates,
        typer.Option(help="At tier 2. year: Safe Harbor. shift: as many days earlier for each person as chance says."),
    ] = Dates.YEAR,
    duckdb: Annotated[bool, typer.Option("--duckdb", help="One DuckDB file beside the Parquet files.")] = False,
) -> None:
    """Write what was asked for, of the sites that approved, as Parquet, with a dictionary and a manifest; it is logged for each person.

    Nobody leaves who withdrew from research. Tier 1: as the registry has it. Tier 2: postcodes as three digits, ages from 90 on as 90, ids
    that hold within this extract alone, dates as years or moved by up to a year, a person's all by the same in every extract. Tier 3: counts of persons.
    """
    from schemas.outcomes import RECORD_TYPES
    from services.registry.database import open_registry, reading, writing
    from services.research.moving import key_of_moves

    names = [name.strip() for name in types.split(",") if name.strip()] or list(RECORD_TYPES)
    if unknown := sorted(set(names) - set(RECORD_TYPES)):
        raise OperatorError(f"no record type {', '.join(unknown)}", f"There are {', '.join(RECORD_TYPES)}.")
    if to.exists():
        raise OperatorError(f"{to} is there already", "Give a new folder: an extract is never added to.")
    settings = read_settings()
    engine = open_registry(settings.registry_url)
    try:
        with writing(engine) as connection:
            moves = key_of_moves(connection) if dates is Dates.SHIFT else b""
        with reading(engine) as connection, progress_bars(quiet=False) as bar:
            asked = _approved(connection, request, form, tier, cohort)
            if asked.tier == COUNTS:
                _demand_first(settings.access_url, asked)
            wanted = _wanted(asked, names, dates, moves)
            done = _write(connection, asked, to, wanted, partial(bar, "extract"))
    finally:
        engine.dispose()
    if duckdb:
        from services.research.duck import write_duckdb

        write_duckdb(to)
    _log(settings.access_url, asked, done)
    say(f"{to}: {done.written.total():,} rows of {len(done.subjects):,} people; {done.held.total():,} held back")


def _approved(
    connection: "Connection", ident: str, form: Form, tier: int | None, cohort: list[str] | None
) -> "Request":
    """The request, if this is what was asked and somebody approved it."""
    from services.research.requests import named

    asked = named(connection, ident)
    said = (form.value, asked.tier if tier is None else tier, sorted(asked.cohort if cohort is None else cohort))
    if said != (asked.form, asked.tier, sorted(asked.cohort)):
        raise OperatorError(
            f"the request is for {asked.form} at tier {asked.tier}, cohort {', '.join(asked.cohort) or 'everybody'}",
            "Leave --tier and --cohort out, or ask for another extract.",
        )
    if not asked.approved:
        raise OperatorError("no site has approved this request", "Each site's team answers on the page Research.")
    return asked


def _demand_first(access_url: str, asked: "Request") -> None:
    """Counts are written once: the difference of two would tell of the few who came or went between them."""
    from services.access.database import AccessDatabase
    from services.access.views import Views
    from services.research.requests import VIEWER

    database = AccessDatabase.open(access_url)
    try:
        if Views(database).has_told(f"{VIEWER}{asked.id}"):
            raise OperatorError(
                "the counts of this request were written already; beside them new ones would tell of those who came since",
                "Use those, or ask for another extract, which sites approve.",
            )
    finally:
        database.close()


def _wanted(asked: "Request", names: list[str], dates: Dates, moves: bytes) -> "Wanted":
    from services.research.extracting import Wanted
    from transforms.privacy.field_policy import FieldPolicy

    def leaves(record_type: str, field: str) -> str:
        policy = FieldPolicy.load()
        kind = record_type if field in policy.listed(record_type) else "every_record"
        word = policy.applies(asked.tier, kind, field)
        return MOVED if word == "year" and dates is Dates.SHIFT else LEAVES[word]

    return Wanted(asked.tier, asked.approved, names, asked.cohort, _at_tier(asked, dates, moves), leaves)


def _write(connection: "Connection", asked: "Request", to: Path, wanted: "Wanted", moved: "Moved") -> "Extracted":
    from services.research import aggregates, extracting, omop

    if asked.tier == COUNTS:
        return aggregates.extract(connection, to, wanted, moved=moved)
    if asked.form == Form.OMOP:
        return omop.extract(connection, to, wanted, moved=moved)
    return extracting.extract(connection, to, wanted, moved=moved)


def _at_tier(asked: "Request", dates: Dates, moves: bytes) -> "AtTier":
    from mainstem.commands.map.tiers import surrogate, years
    from transforms.codes.systems import known_systems
    from transforms.privacy.field_policy import REGISTRY_TIER
    from transforms.privacy.tiers import Tier

    if asked.tier == REGISTRY_TIER:
        return lambda record, _born: record
    if asked.form == Form.OMOP and dates is Dates.YEAR:
        raise OperatorError("OMOP needs whole dates", "Say --dates shift, or ask for ocdm.")
    oldest, key = datetime.now(UTC).year - OLDEST, token_bytes(32)
    shift = _Shift(moves, oldest)
    cut = shift if dates is Dates.SHIFT else partial(years, since=oldest)
    forms = {"year": cut, "recode": partial(surrogate, key=key)}
    made = Tier(asked.tier, forms=forms, public=known_systems())

    def at(record: Mapping[str, Any], born: str | None) -> Mapping[str, Any] | None:
        shift.of(str(record["subject"]))
        told = made.of(record, born=born)
        if told and record["type"] == "person" and born and int(born[:4]) < oldest:
            told["oldest"] = oldest - 1
        return told

    return at


class _Shift:
    """Dates moved back, by as many days for all of one person, of which only the network's key knows."""

    def __init__(self, key: bytes, since: int) -> None:
        self._key, self._since, self._days = key, since, timedelta()

    def of(self, subject: str) -> None:
        """From now on it is this person."""
        drawn = hmac.digest(self._key, b"days/" + subject.encode(), "sha256")
        self._days = timedelta(days=1 + int.from_bytes(drawn[:4]) % MOST_DAYS)

    def __call__(self, value: Any) -> Any:
        """A date, or what holds some; a year or month alone, an instant and what tells an age over 89 do not leave."""
        if isinstance(value, list):
            return [told for each in value if (told := self(each)) not in (None, {}, "")]
        if isinstance(value, Mapping):
            return {name: told for name, each in value.items() if (told := self(each)) not in (None, {}, [])}
        if not isinstance(value, str) or not value[:4].isdigit():
            return value
        if len(value) != len("2026-03-02") or int(value[:4]) < self._since:
            return None
        return (date.fromisoformat(value) - self._days).isoformat()


PEOPLE_A_ROW = 500


def _log(access_url: str, asked: "Request", done: "Extracted") -> None:
    """Of each person: so that their family reads who used their data, and what for."""
    from services.access.database import AccessDatabase
    from services.access.viewers import Role, Viewer
    from services.access.views import Views
    from services.research.requests import VIEWER

    database, people = AccessDatabase.open(access_url), sorted(done.subjects)
    try:
        viewer = Viewer(f"{VIEWER}{asked.id}", "", frozenset({Role.RESEARCHER}))
        for place in range(0, len(people), PEOPLE_A_ROW):
            Views(database).note("told", viewer, "extract", subjects=people[place : place + PEOPLE_A_ROW])
    finally:
        database.close()
