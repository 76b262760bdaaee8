"""`mainstem trace`: one record, both ways."""

import re
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstem.commands.naming import site_names
from mainstem.commands.terminal import AsJson, named_site, opened_state, print_json, read_settings, say, tell
from schemas.errors import MainstemError, OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from mainstem.config.settings import Settings
    from mainstem.mending.trace import Traced
    from transforms.privacy.pseudonyms import Pseudonyms

group = typer.Typer()
RECORD = re.compile(r"r-([0-9a-f]{32})")
SOURCE = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})")


@group.command(
    epilog="Examples: mainstem trace r-7f3a21bc9d004c1e8a6600f100000000; mainstem trace --source Observation/123 --site north"
)
def trace(
    record: Annotated[str, typer.Argument(metavar="RECORD", help="A record's id, r-…", show_default=False)] = "",
    source: Annotated[str, typer.Option(help="A resource at the site: Observation/123.")] = "",
    site: Annotated[
        Path | None,
        typer.Option(
            "--site",
            help="With --source: the site's name or its TOML file.",
            show_default=False,
            callback=named_site,
            autocompletion=site_names,
        ),
    ] = None,
    topic: Annotated[bool, typer.Option("--topic/--no-topic", help="Look for its events in the topic, too.")] = True,
    as_json: AsJson = False,
) -> None:
    """Where a record came from and whom it went to: source, version, load, mapping, software, events, deliveries by group.

    From a resource at the site: every record it gave, and each one's events. Exit code 78 where there is none.
    """
    from mainstem.database.urls import name_of
    from mainstem.mending.trace import trace as follow

    settings = read_settings()
    first, last = _meant(settings, record, source, site)
    with opened_state(settings.database_url) as state, _consumers(settings) as consumers:
        held, where = state.mending.held(first, last), name_of(state.database.engine.url)
        kafka = settings.kafka_settings() if topic else None
        found = list(follow(state, held, kafka=kafka, network=settings.network, consumers=consumers))
    if as_json:
        print_json([_as_json(each) for each in found])
    for each in [] if as_json else found:
        _say(each, topic=topic)
    if not found:
        raise OperatorError(
            f"{where} holds no such record",
            "Give its id as an event or the registry has it; MAINSTEM_DATABASE_URL says where to look.",
        )


@contextmanager
def _consumers(settings: "Settings") -> "Iterator[Engine | None]":
    """The registry's database, where there is one here."""
    from mainstem.consumer.ledger import open_database

    with ExitStack() as stack:
        try:
            engine = stack.enter_context(open_database(settings.registry_url, setting="MAINSTEM_REGISTRY_URL"))
        except MainstemError as problem:
            tell(f"deliveries are not known here: {problem.cause}")
            yield None
            return
        yield engine


def _meant(settings: "Settings", record: str, source: str, site: Path | None) -> tuple[bytes, bytes]:
    """Between which ids the records lie. Raises OperatorError before anything is opened."""
    if bool(record) == bool(source) or bool(source) != bool(site):
        raise OperatorError(
            "a record is named, or a source and its site", "Say r-…, or --source Observation/123 --site x."
        )
    if record:
        if (named := RECORD.fullmatch(record)) is None:
            raise OperatorError("a record is r- and 32 hexadecimal digits", "Take it from an event: `mainstem tail`.")
        id_ = bytes.fromhex(named[1])
        return id_, id_
    if (of := SOURCE.fullmatch(source)) is None or site is None:
        raise OperatorError("a source is a type and an id", "Say it as in FHIR: Observation/123.")
    ref = _pseudonyms(site, settings).ref(of[1], of[2])
    return ref + bytes(4), ref + b"\xff" * 4


def _pseudonyms(site: Path, settings: "Settings") -> "Pseudonyms":
    from mainstem.config.site_files import file_secrets, read_site
    from transforms.privacy.pseudonyms import Pseudonyms

    file = read_site(site)
    return Pseudonyms(file_secrets(file.folder)(file.site.subject_key))


def _as_json(traced: "Traced") -> dict[str, object]:
    return traced._asdict() | {
        "events": [each._asdict() for each in traced.events],
        "deliveries": [each._asdict() for each in traced.deliveries],
    }


def _say(traced: "Traced", *, topic: bool) -> None:
    say(f"{traced.record}  {traced.type} of {traced.site}, {traced.subject}")
    for each in traced.source:
        version = f" version {each['version']}" if "version" in each else ""
        say(f"  source   {each.get('type')} {each.get('ref')}{version}, updated {each.get('updated', 'not said')}")
    flags = f", flags {', '.join(traced.flags)}" if traced.flags else ""
    say(f"  mapping  {traced.mapping}{flags}")
    say(f"  load     {traced.load} ({traced.load_status or 'not kept any more'})")
    stands = "withdrawn" if traced.withdrawn else "stands"
    waits = "published" if traced.published else "waits to be published"
    say(
        f"  change   {traced.version}, {stands}, {waits}, {traced.changed:%Y-%m-%d %H:%M:%S} UTC, event {traced.event_id}"
    )
    for event in traced.events:
        replay = ", a replay" if event.replay else ""
        software = f", software {event.software}" if event.software else ""
        say(
            f"  event    {event.version} {event.type} {event.id} at {event.partition}:{event.offset}, {event.time}{software}{replay}"
        )
    if topic and not traced.events:
        say("  event    none in the topic")
    for delivery in traced.deliveries:
        letters = f", {delivery.letters} dead letters wait" if delivery.letters else ""
        say(f"  handled  by {delivery.group}: {delivery.version}{letters}")
    if not traced.deliveries:
        say("  handled  by no group of this database")
