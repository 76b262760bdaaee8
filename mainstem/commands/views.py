"""`mainstem views`: who saw which persons on the pages, and whether the log of it is whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstem.commands.terminal import AsJson, plain_table, print_json, read_settings, require_day, say, stdout
from schemas.errors import ExitCode

if TYPE_CHECKING:
    from services.access.views import Views

group = typer.Typer(name="views", help="Who saw which persons on the pages.", no_args_is_help=True)
Subject = Annotated[str, typer.Option(help="A person's pseudonym: who saw them.", show_default=False)]
Viewer = Annotated[str, typer.Option(help="Somebody's id as `views list` shows it: whom they saw.", show_default=False)]
Since = Annotated[str, typer.Option(help="From that day on: 2026-11-03.", show_default=False)]


@group.command("list", epilog="Example: mainstem views list --subject s-0123456789abcdef0123456789abcdef")
def list_views(subject: Subject = "", viewer: Viewer = "", since: Since = "", as_json: AsJson = False) -> None:
    """Each view, the oldest first: when, who, in which role, what, whom."""
    day = require_day(since)
    with _views() as views:
        found = [row for row in views.rows() if _wanted(row, subject, viewer, day)]
    if as_json:
        print_json(found)
        return
    table = plain_table("number", "when (UTC)", "who", "roles", "what", "site", "persons")
    for row in found:
        what = f"{row['what']} {row['route']}"
        roles, persons = ", ".join(row["roles"]), str(len(row["subjects"]))
        table.add_row(str(row["number"]), row["at"][:19], row["viewer"], roles, what, row["site"] or "", persons)
    stdout().print(table)


@group.command(
    "verify",
    epilog="Example: mainstem views verify. Note number and digest elsewhere: a log written anew as a whole has others.",
)
def verify(as_json: AsJson = False) -> None:
    """Whether each row is as it was written; exit code 3 where one is not."""
    with _views() as views:
        broken, rows = views.first_broken(), views.rows()
    digest = rows[-1]["digest"] if rows else None
    if as_json:
        print_json({"rows": len(rows), "digest": digest, "broken": broken})
    elif broken is not None:
        say(f"row {broken} is not as it was written, or one before it is missing")
    else:
        say(f"{len(rows)} rows, each as it was written{f'; the last has the digest {digest}' if rows else ''}")
    if broken is not None:
        raise typer.Exit(ExitCode.ATTENTION)


def _wanted(row: dict[str, Any], subject: str, viewer: str, since: str) -> bool:
    return (
        (not subject or subject in row["subjects"])
        and (not viewer or row["viewer"] == viewer)
        and (not since or row["at"] >= since)
    )


@contextmanager
def _views() -> "Iterator[Views]":
    from services.access.database import AccessDatabase
    from services.access.views import Views

    database = AccessDatabase.open(read_settings().access_url)
    try:
        yield Views(database)
    finally:
        database.close()
