"""`mainstem registry`: the reference registry."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from mainstem.commands.naming import site_names
from mainstem.commands.terminal import AsJson, plain_table, print_json, read_settings, say, stdout, tell
from schemas.errors import OperatorError

if TYPE_CHECKING:
    from sqlalchemy import Connection

group = typer.Typer(
    name="registry", help="The reference registry: events into relational tables.", no_args_is_help=True
)


@group.command("run", epilog="Example: mainstem registry run")
def run() -> None:
    """Consume outcome events into the registry's tables until stopped."""
    from services.registry.running import run as run_registry

    current = read_settings()
    run_registry(current.kafka_settings(), current.network, current.registry_url, say=tell)


@group.command("rebuild", epilog="Example: mainstem registry rebuild, then mainstem registry run")
def rebuild() -> None:
    """Empty the registry's current records; the next `mainstem registry run` fills them from the stream's beginning."""
    from services.registry.running import rebuild as rebuild_registry

    current = read_settings()
    rebuild_registry(current.kafka_settings(), current.network, current.registry_url)
    tell("the records are emptied; `mainstem registry run` fills them again")


@group.command("serve", epilog="Example: mainstem registry serve --port 8070")
def serve(
    host: Annotated[str, typer.Option(help="Address to bind.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to bind.")] = 8070,
) -> None:
    """Serve the registry's read-only API and the events' schemas."""
    from services.registry.running import serve_api

    current = read_settings()
    serve_api(current.registry_url, host=host, port=port, names=current.host_names, say=tell)


tokens_group = typer.Typer(
    name="tokens", help="Who may read the registry, or the feedback pages, over HTTP.", no_args_is_help=True
)
group.add_typer(tokens_group)
TokenName = Annotated[str, typer.Argument(metavar="NAME", help="What the token is called.", show_default=False)]


@contextmanager
def _database() -> "Iterator[Connection]":
    """The registry's database, in one transaction."""
    from services.registry.database import in_words, open_registry

    engine = open_registry(read_settings().registry_url)
    try:
        with in_words(engine), engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@tokens_group.command(
    "new",
    epilog="Examples: mainstem registry tokens new warehouse --type observation --read export --days 365. "
    "mainstem registry tokens new west-charts --role site-team --site west",
)
def new_token(
    name: TokenName,
    record_type: Annotated[
        list[str] | None, typer.Option("--type", help="Record types it is for; all by default.")
    ] = None,
    site: Annotated[
        list[str] | None, typer.Option(help="Sites it is for; all by default.", autocompletion=site_names)
    ] = None,
    read: Annotated[
        list[str] | None, typer.Option(help="What it reads: records, history, export, loads; all by default.")
    ] = None,
    role: Annotated[
        str,
        typer.Option(
            help="For the feedback pages, not the API: reads what a coordinator, site-team, clinician or researcher reads."
        ),
    ] = "",
    days: Annotated[
        int | None,
        typer.Option(
            min=1, max=36_500, help="Days until it ends; never by default, with --role after 90 (at most 366)."
        ),
    ] = None,
) -> None:
    """Make a token and print it, this once: only its hash is kept. It is sent as `Authorization: Bearer`.

    From the first one without --role on the API answers nobody without.
    """
    from services.registry.holders import make_for_pages
    from services.registry.tokens import make, scope_of

    now, lasting = datetime.now(UTC), None if days is None else timedelta(days=days)
    scope = scope_of(record_type or (), site or (), read or ())
    if role and (scope.types or scope.reads):
        raise OperatorError("--role says what is read", "Leave --type and --read away.")
    with _database() as connection:
        if role:
            secret = make_for_pages(connection, name, role, scope.sites, now=now, lasting=lasting)
        else:
            secret = make(connection, name, scope, now=now, expires=None if lasting is None else now + lasting)
    say(secret)


@tokens_group.command("list", epilog="Example: mainstem registry tokens list --json")
def list_tokens(as_json: AsJson = False) -> None:
    """List the tokens that were ever made: what each is for, and whether it is good. Never the tokens themselves."""
    from dataclasses import asdict

    from services.registry.tokens import tokens

    now = datetime.now(UTC)
    with _database() as connection:
        found = tokens(connection)
    rows = [
        {
            "name": each.name,
            "state": each.state(now),
            "role": each.role,
            **asdict(each.scope),
            "created": each.created.isoformat(timespec="seconds"),
            "expires": each.expires and each.expires.isoformat(timespec="seconds"),
        }
        for each in found
    ]
    if as_json:
        print_json(rows)
        return
    if not rows:
        say("no token was ever made: the API answers whoever reaches it")
        return

    table = plain_table("name", "state", "role", "types", "sites", "reads", "created", "expires")
    for row in rows:
        scopes = (", ".join(row[kind]) or "all" for kind in ("types", "sites", "reads"))
        table.add_row(row["name"], row["state"], row["role"] or "", *scopes, row["created"], row["expires"] or "never")
    stdout().print(table)


@tokens_group.command("revoke", epilog="Example: mainstem registry tokens revoke warehouse")
def revoke_token(name: TokenName) -> None:
    """End a token for good, from the next question on."""
    from services.registry.tokens import revoke

    with _database() as connection:
        revoke(connection, name, datetime.now(UTC))
    say(f"{name} is revoked")


@group.command("erase", epilog="Example: mainstem registry erase s-19c2…")
def erase_subjects(
    subjects: Annotated[list[str], typer.Argument(metavar="SUBJECT…", help="Pseudonyms.", show_default=False)],
) -> None:
    """Forget subjects: their records, their history; nothing of them is taken again, whatever the stream brings."""
    from services.registry.erasure import erase, proven

    with _database() as connection:
        count = erase(connection, proven(subjects), datetime.now(UTC))
    say(f"{len(set(subjects)):,} erased: {count:,} records and changes are gone")
