"""What the registry does with events: the current state in one table a record type, every change in `history`.

Runs inside the consumer kit's transaction, which also holds the partition's offset and lets no older change of a record
through to the current state; the history takes those too. The same event twice leaves the same state. Events of types that this
version does not know are in the history alone, from where a later version fills their table.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Annotated, Any

import msgspec
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, bindparam, delete

from mainstem.consumer import LetterReason, PoisonError, Received
from schemas.errors import TemporaryError
from schemas.loads import LoadEvent, LoadEventType
from services.registry.erasure import without_erased
from services.registry.tables import RECORD_TABLES, history, load, model_fields, pattern, plain
from services.registry.write import RefusedError, Row, write

NONE = msgspec.Raw(b"[]")
"""An empty list: events leave empty fields out."""


class Origin(msgspec.Struct):
    """What the registry keeps of an event's provenance beside the record."""

    load: str | None = None
    software: str | None = None
    flags: msgspec.Raw = NONE


class Envelope(msgspec.Struct):
    """An event's value, the record still undecoded."""

    record: msgspec.Raw
    provenance: Origin


FIRST, LAST = datetime(1800, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
"""Instants outside are no patient's, and a database may take what it cannot give back."""
LARGEST = Decimal("1e300")
"""Numbers from here on are no measurement, and more than SQLite's hold."""
FIELD_TYPES: dict[object, object] = {
    list: msgspec.Raw,
    Decimal: Decimal,
    datetime: Annotated[datetime, msgspec.Meta(tz=True)],
    int: int,
    bool: bool,
    str: str,
}


@cache
def record_decoder(record_type: str) -> msgspec.json.Decoder[msgspec.Struct]:
    """Decodes a record into its columns: instants and exact numbers parsed, lists left as their text.

    Its fields stand in the order of the table's columns.
    """
    fields: list[Any] = []
    for name, field in model_fields(record_type).items():
        column: Any = FIELD_TYPES[plain(field.annotation)]
        if expected := pattern(field.annotation, field.metadata):
            column = Annotated[column, msgspec.Meta(pattern=expected)]
        if field.is_required():
            fields.append((name, column))
        elif column is msgspec.Raw:
            fields.append((name, column, NONE))
        else:
            fields.append((name, column | None, None))
    return msgspec.json.Decoder(msgspec.defstruct(record_type, fields, kw_only=True))


@cache
def instants(record_type: str) -> list[int]:
    """At which places of a record's row stand instants."""
    return _places(record_type, datetime)


@cache
def numbers(record_type: str) -> list[int]:
    """The same of exact numbers."""
    return _places(record_type, Decimal)


@cache
def lists(record_type: str) -> list[tuple[int, Callable[[str], bool]]]:
    """The same of lists, each with what proves one: they are kept as their text, and who reads them takes them for what they are."""
    annotations: list[Any] = [field.annotation for field in model_fields(record_type).values()]
    return [(place, is_list(annotations[place])) for place in _places(record_type, list)]


@cache
def is_list(annotation: Any) -> Callable[[str], bool]:
    """Whether a JSON text is a list of this kind; few different ones stand in many events."""
    adapter = TypeAdapter[Any](annotation)

    @lru_cache(4096)
    def holds(text: str) -> bool:
        try:
            adapter.validate_json(text)
        except ValidationError:
            return False
        return True

    return holds


def _places(record_type: str, kind: object) -> list[int]:
    kinds = [plain(field.annotation) for field in model_fields(record_type).values()]
    return [place for place, each in enumerate(kinds) if each is kind]


def apply(connection: Connection, events: Sequence[Received]) -> None:
    """The effect of outcome events, in their order, within the caller's transaction.

    Raises PoisonError for the events that break the contract or that the database refuses (a NUL in a text, a number beyond all bounds):
    the kit puts them aside and calls again without them.
    """
    _written(connection, events, _apply)


def keep_late(connection: Connection, events: Sequence[Received]) -> None:
    """What is older than what is known of its record, or came before: the history has it too, the current state not.

    A new registry reads one partition before another; a record that went over from one subject to another stands in both.
    """
    _written(connection, events, _remember)


_Effect = Callable[[Connection, Sequence[Received]], None]


def _written(connection: Connection, events: Sequence[Received], effect: _Effect) -> None:
    try:
        with connection.begin_nested():
            effect(connection, events)
    except RefusedError:
        named = [(event, LetterReason.INVALID_RECORD) for event in _refused(connection, events, effect)]
        if not named:
            raise TemporaryError(
                "the registry's database refused a batch of events but none of them", "Look into its log."
            ) from None
        raise PoisonError.of(named) from None


def clear(connection: Connection) -> None:
    """Empties the current records, for the kit to fill them again. `history` stays: what happened did."""
    for table in RECORD_TABLES.values():
        connection.execute(delete(table))


def _refused(connection: Connection, events: Sequence[Received], effect: _Effect) -> list[Received]:
    """The events that the database refuses on their own, found by halves."""
    attempt = connection.begin_nested()
    try:
        effect(connection, events)
        return []
    except RefusedError:
        if len(events) == 1:
            return list(events)
    finally:
        attempt.rollback()
    middle = len(events) // 2
    return _refused(connection, events[:middle], effect) + _refused(connection, events[middle:], effect)


def _apply(connection: Connection, events: Sequence[Received]) -> None:
    events = without_erased(connection, events)
    stored, withdrawn = _sorted(events)
    _remember(connection, events)
    for record_type, records in sorted(stored.items()):
        write(connection, RECORD_TABLES[record_type], records, replace=True)
    for record_type, gone in sorted(withdrawn.items()):
        table = RECORD_TABLES[record_type]
        connection.execute(delete(table).where(table.c.id == bindparam("gone")), gone)


def _remember(connection: Connection, events: Sequence[Received]) -> None:
    arrived = datetime.now(UTC)
    rows = {
        (event.record_id, event.epoch, event.sequence): _history_row(event, arrived)
        for event in without_erased(connection, events)
    }
    write(connection, history, list(rows.values()), replace=False)


def _sorted(events: Sequence[Received]) -> tuple[dict[str, list[Row]], dict[str, list[dict[str, str]]]]:
    """Each record's last word, by type: rows to store, ids to delete. Raises PoisonError naming all that break the contract."""
    stored: dict[str, list[Row]] = {}
    withdrawn: dict[str, list[dict[str, str]]] = {}
    poison: list[tuple[Received, LetterReason]] = []
    for event in {event.record_id: event for event in events if event.record_type in RECORD_TABLES}.values():
        if event.value is None:
            withdrawn.setdefault(event.record_type, []).append({"gone": event.record_id})
            continue
        try:
            stored.setdefault(event.record_type, []).append(record_row(event))
        except PoisonError as exc:
            poison.append((event, exc.reason))
    if poison:
        raise PoisonError.of(poison)
    return stored, withdrawn


def record_row(event: Received) -> Row:
    """The row of the record's table, in the order of its columns. Raises PoisonError where the value breaks the contract."""
    try:
        return row_of(event.record_type, event.value or b"", event.sequence, event.time)
    except ValueError:
        raise PoisonError(event, LetterReason.INVALID_RECORD) from None


def row_of(record_type: str, value: bytes | str, sequence: int, time: datetime) -> Row:
    """The same of what an event's value says. Raises ValueError where that breaks the contract."""
    try:
        envelope = _envelope.decode(value)
        fields = msgspec.structs.astuple(record_decoder(record_type).decode(envelope.record))
    except msgspec.MsgspecError:
        raise ValueError from None
    if not all(fields[place] is None or FIRST <= fields[place] < LAST for place in instants(record_type)):
        raise ValueError
    if not all(fields[place] is None or abs(fields[place]) < LARGEST for place in numbers(record_type)):
        raise ValueError
    origin = envelope.provenance
    row = [str(memoryview(field), "utf-8") if type(field) is msgspec.Raw else field for field in fields]
    flags = str(memoryview(origin.flags), "utf-8")
    if not all(holds(row[place]) for place, holds in lists(record_type)) or not is_list(list[str])(flags):
        raise ValueError
    return (*row, sequence, time, origin.load, origin.software, flags)


_envelope = msgspec.json.Decoder(Envelope)


def _history_row(event: Received, arrived: datetime) -> Row:
    try:
        value = None if event.value is None else event.value.decode()
    except UnicodeDecodeError:
        raise PoisonError(event, LetterReason.INVALID_JSON) from None
    return (
        event.record_id,
        event.epoch,
        event.sequence,
        event.event_id,
        str(event.op),
        event.time,
        event.site,
        event.record_type,
        value,
        event.subject,
        arrived,
    )


def apply_loads(connection: Connection, events: Iterable[LoadEvent]) -> None:
    """The effect of load events: a load's last word stands; a repeated `started` does not reopen it.

    Raises PoisonError for one that the database refuses.
    """
    for event in events:
        row = tuple(
            _json(event, name) if name in ("types", "watermarks", "gaps") else getattr(event, name)
            for name in LOAD_COLUMNS
        )
        try:
            with connection.begin_nested():
                write(connection, load, [row], replace=event.event != LoadEventType.STARTED)
        except RefusedError:
            raise PoisonError(event, LetterReason.INVALID_RECORD) from None


LOAD_COLUMNS = [column.name for column in load.columns]


def _json(event: LoadEvent, field: str) -> str:
    return msgspec.json.encode(event.model_dump(mode="json", include={field})[field]).decode()
