"""`mainstem consumers`: how far each consumer group of a database is."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from mainstem.commands.terminal import AsJson, plain_table, print_json, read_settings, say, stdout

if TYPE_CHECKING:
    from mainstem.consumer.progress import Standing

group = typer.Typer()


@group.command()
def consumers(
    database: Annotated[
        str | None,
        typer.Option("--database", help="The consumers' database; the registry's if not given.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """How far each consumer group is: lag, how fresh its tables are, the last event, dead letters that wait."""
    from mainstem.consumer.ledger import open_database
    from mainstem.consumer.progress import standing

    with open_database(database or read_settings().registry_url, setting="--database") as engine:
        found = standing(engine)
    now = datetime.now(UTC)
    if as_json:
        print_json([each._asdict() | {"fresh_seconds": _fresh(each, now)} for each in found])
    elif not found:
        say("no consumer has run on this database yet")
    else:
        _print(found, now)


def _print(found: "list[Standing]", now: datetime) -> None:

    names = ("group", "topic", "lag", "behind by", "last applied (UTC)", "last seen (UTC)", "dead letters")
    table = plain_table(*names)
    for each in found:
        table.add_row(
            each.group,
            each.topic,
            f"{each.lag:,}",
            f"{_fresh(each, now):,} s",
            "never" if each.last_applied is None else f"{each.last_applied:%Y-%m-%d %H:%M:%S}",
            f"{each.seen:%Y-%m-%d %H:%M:%S}",
            str(each.letters),
        )
    stdout().print(table)


def _fresh(standing: "Standing", now: datetime) -> int:
    return int(standing.freshness(now).total_seconds())
