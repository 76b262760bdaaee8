"""`mainstem consumers`: how far each consumer group of a database is."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from mainstem.commands.terminal import AsJson, plain_table, print_json, read_settings, say, stdout

if TYPE_CHECKING:
    from mainstem.consumer.progress import Standing

group = typer.Typer()


@group.command(
    epilog="Examples: mainstem consumers; mainstem consumers --metrics > /var/lib/node_exporter/mainstem.prom"
)
def consumers(
    database: Annotated[
        str | None,
        typer.Option("--database", help="The consumers' database; the registry's if not given.", show_default=False),
    ] = None,
    metrics: Annotated[bool, typer.Option("--metrics", help="As metrics for Prometheus's text collector.")] = False,
    as_json: AsJson = False,
) -> None:
    """How far each consumer group is: lag, how fresh its tables are, the last event, dead letters that wait, its contract's version."""
    from mainstem.consumer.ledger import open_database
    from mainstem.consumer.progress import as_metrics, standing
    from schemas.events import CONTRACT_MAJOR

    with open_database(database or read_settings().registry_url, setting="--database") as engine:
        found = standing(engine)
    now = datetime.now(UTC)
    if as_json:
        more = {"contract": CONTRACT_MAJOR}
        print_json([each._asdict() | {"fresh_seconds": _fresh(each, now)} | more for each in found])
    elif metrics:
        sys.stdout.write(as_metrics(found, now))
    elif not found:
        say("no consumer has run on this database yet")
    else:
        _print(found, now)


def _print(found: "list[Standing]", now: datetime) -> None:
    from schemas.events import CONTRACT_MAJOR

    names = ("group", "topic", "lag", "behind by", "last event (UTC)", "last seen (UTC)", "dead letters", "contract")
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
            f"v{CONTRACT_MAJOR}",
        )
    stdout().print(table)


def _fresh(standing: "Standing", now: datetime) -> int:
    return int(standing.freshness(now).total_seconds())
