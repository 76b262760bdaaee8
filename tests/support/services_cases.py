"""Events for the registry and the measures, made from the outcome model."""

import json
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from mainstem.consumer import Received
from mainstem.kafka.envelopes import id_of
from schemas.events import Header, Operation, data_schema, outcome_type, source_of
from schemas.loads import LoadEvent, load_topic, load_type


class KafkaRecord(NamedTuple):
    """What kafka-python's consumer gives."""

    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]
    partition: int = 0
    offset: int = 0
    topic: str = "test.outcome.v1"


def received(
    record_type: str,
    record: str,
    subject: str,
    site: str,
    sequence: int,
    op: str,
    value: bytes | None,
    network: str = "test",
) -> Received:
    """An event as the consumer kit hands it to the registry."""
    headers = {
        Header.ID: id_of(f"{record}/1.{sequence}".encode()).decode(),
        Header.TYPE: outcome_type(network, Operation(op)),
        Header.SUBJECT: record,
        Header.SEQUENCE: f"1.{sequence}",
        Header.SOURCE: source_of(site),
        Header.DATA_SCHEMA: data_schema(record_type),
        Header.TIME: f"2026-11-02T06:{sequence:02}:00Z",
    }
    encoded = [(str(name), text.encode()) for name, text in headers.items()]
    return Received(KafkaRecord(f"{subject}/{record}".encode(), value, encoded))


def load_record(event: LoadEvent, network: str = "test") -> KafkaRecord:
    """A load's event as its site's publisher sends it."""
    headers = {
        Header.ID: id_of(f"{event.load}/{event.event}".encode()).decode(),
        Header.TYPE: load_type(network, event.event),
        Header.SUBJECT: event.load,
        Header.SOURCE: source_of(event.site),
        Header.DATA_SCHEMA: data_schema("load"),
        Header.TIME: "2026-11-02T06:00:00Z",
    }
    encoded = [(str(name), text.encode()) for name, text in headers.items()]
    return KafkaRecord(event.site.encode(), event.model_dump_json().encode(), encoded, topic=load_topic(network))


def record_id(name: str) -> str:
    """A record's id from a readable name."""
    return "r-" + uuid.uuid5(uuid.NAMESPACE_OID, name).hex


def subject_id(name: str) -> str:
    """A subject's pseudonym from a readable name."""
    return "s-" + uuid.uuid5(uuid.NAMESPACE_OID, name).hex


def event_of(
    record: BaseModel,
    *,
    sequence: int = 1,
    withdrawn: bool = False,
    flags: Sequence[str] = (),
    network: str = "test",
) -> Received:
    """The event that says a record has this content, or is withdrawn."""
    content: dict[str, Any] = record.model_dump(mode="json", exclude_none=True)
    content = {name: value for name, value in content.items() if value != []}
    op = "withdrawn" if withdrawn else "recorded" if sequence == 1 else "amended"
    value = {
        "record": content,
        "change": {"op": op, "sequence": sequence, "previous": sequence - 1, "digest": "0" * 32},
        "provenance": {
            "site": content.get("site"),
            "source": [],
            "load": f"load-{sequence}",
            "mapping": "x@1",
            "software": "0.1.0",
        }
        | ({"flags": list(flags)} if flags else {}),
    }
    text = None if withdrawn else json.dumps(value).encode()
    names = (content["type"], content["id"], content.get("subject", ""), content.get("site", "north"))
    return received(*names, sequence, op, text, network)
