"""`mainstem dlq`: what a consumer group could not use, and what is to become of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from mainstem.commands.terminal import AsJson, plain_table, print_json, read_settings, say, stdout
from schemas.errors import OperatorError

if TYPE_CHECKING:
    from mainstem.consumer import LetterState
    from mainstem.consumer.dead_letters import Place
    from mainstem.consumer.letterbox import Letterbox, Noted

group = typer.Typer(name="dlq", help="Dead letters: what a consumer group could not use.", no_args_is_help=True)
Group = Annotated[str, typer.Option("--group", help="The consumer group.")]
DatabaseUrl = Annotated[
    str | None,
    typer.Option("--database", help="The consumer's database; the registry's if not given.", show_default=False),
]
Places = Annotated[
    list[str] | None, typer.Argument(metavar="PLACE…", help="As `dlq list` shows them: 3:17.", show_default=False)
]
ByReason = Annotated[str | None, typer.Option("--reason", help="All that wait for this reason.", show_default=False)]
All = Annotated[bool, typer.Option("--all", help="All that wait.")]


@group.command("list", epilog="Example: mainstem dlq list --group registry --json")
def list_letters(
    group: Group = "registry",
    database: DatabaseUrl = None,
    closed: Annotated[bool, typer.Option("--closed", help="Those that are done with, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """The letters that wait, and what they hold back: place, record, reason, since when."""
    with _box(group, database) as box:
        found = box.noted(closed=closed)
    if as_json:
        print_json([_as_dict(noted) for noted in found])
        return
    if not found:
        say(f"no dead letter of group {group} waits")
        return
    table = plain_table("place", "state", "reason", "record", "since (UTC)")
    for noted in found:
        row = _as_dict(noted)
        table.add_row(*(row[name] or "" for name in ("place", "state", "reason", "record")), row["since"])
    stdout().print(table)


@group.command("show", epilog="Example: mainstem dlq show 3:17")
def show(
    place: Annotated[str, typer.Argument(metavar="PLACE", help="As `dlq list` shows it: 3:17.")],
    group: Group = "registry",
    database: DatabaseUrl = None,
) -> None:
    """One letter whole, as JSON: headers and value as they came. It may hold patients' data."""
    from mainstem.consumer.dead_letters import DeadLetters, as_shown

    current = read_settings()
    with _box(group, database) as box:
        noted = _named(box, [place], current.network)[0]
        letters = DeadLetters(current.kafka_settings(), current.network, group, box)
        record = letters.read({noted.place: noted.letter_offset}).get(noted.place)
    print_json(_as_dict(noted) | {"came": as_shown(record) if record else None})


@group.command("retry", epilog="Example: mainstem dlq retry --reason invalid-record")
def retry(
    places: Places = None,
    reason: ByReason = None,
    everything: All = False,
    group: Group = "registry",
    database: DatabaseUrl = None,
) -> None:
    """Have letters handled again, in their order, by the consumer while it runs; what they held back follows."""
    from mainstem.consumer import LetterState

    count = _ask(places, reason, everything, group, database, LetterState.RETRY)
    say(f"{count} to be tried again; the consumer does so within seconds while it runs")


@group.command("drop", epilog="Example: mainstem dlq drop 3:17")
def drop(
    places: Places = None,
    reason: ByReason = None,
    everything: All = False,
    group: Group = "registry",
    database: DatabaseUrl = None,
) -> None:
    """Give letters up; what they held back is handled by the consumer. The topic keeps them for its 14 days."""
    from mainstem.consumer import LetterState

    count = _ask(places, reason, everything, group, database, LetterState.DROPPED)
    say(f"{count} dropped")


def _ask(
    places: list[str] | None,
    reason: str | None,
    everything: bool,
    group: str,
    database: str | None,
    state: "LetterState",
) -> int:
    if (bool(places), reason is not None, everything).count(True) != 1:
        raise typer.BadParameter("say which: places, or --reason, or --all")
    from mainstem.consumer import LetterReason

    if reason is not None and reason not in list(LetterReason):
        raise OperatorError(f"there is no reason {reason}", f"There are {', '.join(LetterReason)}.")
    with _box(group, database) as box:
        return box.ask(list(_meant(box, places, reason)), state)


def _meant(box: "Letterbox", places: list[str] | None, reason: str | None) -> Iterator["Place"]:
    found = _named(box, places, read_settings().network) if places else box.noted()
    return (noted.place for noted in found if reason is None or noted.reason == reason)


def _named(box: "Letterbox", places: list[str], network: str) -> "list[Noted]":
    """The letters at these places. Raises OperatorError naming one that is not there."""
    from schemas.events import outcome_topic

    known = {_shown(noted.place): noted for noted in box.noted(closed=True)}
    known |= {
        f"{noted.place.partition}:{noted.place.offset}": noted
        for noted in known.values()
        if noted.place.topic == outcome_topic(network)
    }
    for place in places:
        if place not in known:
            raise OperatorError(f"no dead letter is known of {place}", "See `mainstem dlq list --closed`.")
    return [known[place] for place in places]


@contextmanager
def _box(group: str, database: str | None) -> Iterator["Letterbox"]:
    """The group's letters. Raises OperatorError for a group that never ran on the database, with those that did."""
    from mainstem.consumer.ledger import groups, open_database
    from mainstem.consumer.letterbox import Letterbox
    from mainstem.database.urls import name_of

    with open_database(database or read_settings().registry_url, setting="--database") as engine:
        if group not in (known := groups(engine)):
            told = f"There are: {', '.join(known)}." if known else "None has; --database names another."
            raise OperatorError(f"no consumer group {group} ever ran on {name_of(engine.url)}", told)
        yield Letterbox(engine, group)


def _as_dict(noted: "Noted") -> dict[str, str | None]:
    return {
        "place": _shown(noted.place),
        "state": str(noted.state),
        "reason": str(noted.reason),
        "record": None if noted.record is None else f"r-{noted.record.hex()}",
        "since": f"{noted.since:%Y-%m-%d %H:%M:%S}",
    }


def _shown(place: "Place") -> str:
    return f"{place.topic}/{place.partition}:{place.offset}"
