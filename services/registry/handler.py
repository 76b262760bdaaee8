"""What the registry does with events: the current state in one table a record type, every change in `history`.

Runs inside the consumer kit's transaction, which also holds the partition's offset and lets no older change of a record
through. The same event twice leaves the same state.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any

import msgspec
from sqlalchemy import Connection, Table, bindparam, delete

from mainstem.consumer import LetterReason, PoisonError, Received
from schemas.errors import OperatorError, TemporaryError
from schemas.loads import LoadEvent, LoadEventType
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


FIELD_TYPES: dict[object, object] = {
    list: msgspec.Raw,
    Decimal: Decimal,
    datetime: datetime,
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


def apply(connection: Connection, events: Sequence[Received]) -> None:
    """The effect of outcome events, in their order, within the caller's transaction.

    Raises PoisonError for an event the database refuses (a NUL in a text, a number beyond all bounds): the kit puts it aside and
    calls again without it.
    """
    try:
        with connection.begin_nested():
            _apply(connection, events)
    except RefusedError:
        raise PoisonError(_refused(connection, events), LetterReason.INVALID_RECORD) from None


def _refused(connection: Connection, events: Sequence[Received]) -> Received:
    """The first event that the database refuses on its own."""
    for event in events:
        attempt = connection.begin_nested()
        try:
            _apply(connection, [event])
        except RefusedError:
            return event
        finally:
            attempt.rollback()
    raise TemporaryError("the registry's database refused a batch of events but none of them", "Look into its log.")


def _apply(connection: Connection, events: Sequence[Received]) -> None:
    rows = {(event.record_id, event.epoch, event.sequence): _history_row(event) for event in events}
    write(connection, history, list(rows.values()), replace=False)
    stored: dict[str, list[Row]] = {}
    withdrawn: dict[str, list[dict[str, str]]] = {}
    for event in {event.record_id: event for event in events}.values():
        if event.value is None:
            withdrawn.setdefault(event.record_type, []).append({"gone": event.record_id})
        else:
            stored.setdefault(event.record_type, []).append(record_row(event))
    for record_type, records in sorted(stored.items()):
        write(connection, record_table(record_type), records, replace=True)
    for record_type, gone in sorted(withdrawn.items()):
        table = record_table(record_type)
        connection.execute(delete(table).where(table.c.id == bindparam("gone")), gone)


def record_row(event: Received) -> Row:
    """The row of the record's table, in the order of its columns. Raises PoisonError where the value breaks the contract."""
    record_table(event.record_type)
    envelope = event.decode(Envelope)
    try:
        fields = msgspec.structs.astuple(record_decoder(event.record_type).decode(envelope.record))
    except msgspec.MsgspecError:
        raise PoisonError(event, LetterReason.INVALID_RECORD) from None
    origin = envelope.provenance
    return (
        *(str(memoryview(field), "utf-8") if type(field) is msgspec.Raw else field for field in fields),
        event.sequence,
        event.time,
        origin.load,
        origin.software,
        str(memoryview(origin.flags), "utf-8"),
    )


def _history_row(event: Received) -> Row:
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
    )


def record_table(record_type: str) -> Table:
    """The table of a record type. Raises OperatorError for one this version does not know."""
    try:
        return RECORD_TABLES[record_type]
    except KeyError:
        raise OperatorError(
            f"an event of record type {record_type!r}, which this registry does not know",
            "Update the registry to the version the sites run.",
        ) from None


def apply_loads(connection: Connection, events: Iterable[LoadEvent]) -> None:
    """The effect of load events: a load's last word stands; a repeated `started` does not reopen it."""
    for event in events:
        row = tuple(
            _json(event, name) if name in ("types", "watermarks", "gaps") else getattr(event, name)
            for name in LOAD_COLUMNS
        )
        write(connection, load, [row], replace=event.event != LoadEventType.STARTED)


LOAD_COLUMNS = [column.name for column in load.columns]


def _json(event: LoadEvent, field: str) -> str:
    return msgspec.json.encode(event.model_dump(mode="json", include={field})[field]).decode()
