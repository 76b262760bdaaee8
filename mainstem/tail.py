"""`mainstem tail`: the events of a network as they come, readable, without joining a consumer group."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import msgspec
from kafka import KafkaConsumer, TopicPartition
from rich.text import Text

from mainstem.consumer import Reason, Received, read_event
from mainstem.kafka_settings import Reach, as_settings, kafka_errors
from schemas.events import Header, load_topic, outcome_topic
from schemas.problems import OperatorError

SHORT = 10
"""Characters of an id that are shown: `r-7f3a21bc`."""
STYLES = {"recorded": "green", "amended": "yellow", "withdrawn": "red"}


class Seen(NamedTuple):
    """One event as tail shows it."""

    time: datetime
    site: str
    operation: str
    """`recorded`, `completed` …; `unreadable` with the reason in `what`."""
    type: str
    what: str
    record: str
    subject: str
    raw: bytes | None
    headers: dict[str, str]

    def text(self) -> Text:
        """One line for a terminal."""
        return Text.assemble(
            (f"{self.time:%Y-%m-%d %H:%M:%S}", "dim"),
            f"  {self.site:<12} ",
            (f"{self.operation:<10}", STYLES.get(self.operation, "bold")),
            f" {self.type:<13} ",
            (f"{self.what:<32}", "bold"),
            (f" {self.record[:SHORT]} {self.subject[:SHORT]}", "dim"),
        )

    def json(self) -> str:
        """The headers and the value as one JSON line."""
        value = json.loads(self.raw) if self.raw else None
        return json.dumps({"headers": self.headers, "value": value}, ensure_ascii=False, separators=(",", ":"))


class _Record(msgspec.Struct):
    code: Any = None
    value: msgspec.Raw | None = None
    value_code: str | None = None
    unit: str | None = None
    status: str | None = None


class _Event(msgspec.Struct):
    record: _Record


def tail(
    reach: Reach,
    network: str,
    *,
    topic: Literal["outcome", "load"] = "outcome",
    from_beginning: bool = False,
    follow: bool = True,
    site: str | None = None,
    type_: str | None = None,
    poll_seconds: float = 0.5,
) -> Iterator[Seen]:
    """The topic's events, of all partitions, from the start or from now on; without `follow` up to what is there now."""
    name = outcome_topic(network) if topic == "outcome" else load_topic(network)
    settings = as_settings(reach)
    with kafka_errors(settings):
        client = KafkaConsumer(
            **settings.client_options(),
            client_id="mainstem-tail",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        try:
            for record in _records(client, name, from_beginning, follow, poll_seconds):
                seen = _seen(record) if topic == "outcome" else _seen_load(record)
                if (site is None or seen.site == site) and (type_ is None or seen.type == type_):
                    yield seen
        finally:
            client.close(autocommit=False, timeout_ms=1000)


def _records(
    client: KafkaConsumer, topic: str, from_beginning: bool, follow: bool, poll_seconds: float
) -> Iterator[Any]:
    numbers = client.partitions_for_topic(topic)
    if not numbers:
        raise OperatorError(f"there is no topic {topic}", "Create it: `mainstem topics create`.")
    partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
    client.assign(partitions)
    (client.seek_to_beginning if from_beginning else client.seek_to_end)(*partitions)
    ends = client.end_offsets(partitions)
    while follow or any(
        (client.position(partition, timeout_ms=2000) or 0) < ends[partition] for partition in partitions
    ):
        polled = client.poll(timeout_ms=int(poll_seconds * 1000))
        batch = [record for records in polled.values() for record in records]
        # Partitions are read one after another; within a poll, time orders them for the reader.
        yield from sorted(batch, key=lambda record: record.timestamp)


def _seen(record: Any) -> Seen:
    headers = _texts(record)
    event = read_event(record)
    if isinstance(event, Reason):
        return _unreadable(record, event.value, headers)
    return Seen(
        event.time,
        event.site,
        event.op.value,
        event.type,
        _what(event),
        event.record,
        event.subject,
        event.raw,
        headers,
    )


def _seen_load(record: Any) -> Seen:
    headers = _texts(record)
    try:
        event = json.loads(record.value)
        types = event.get("types", {}).values()
        read, changed = sum(t["read"] for t in types), event.get("published", 0)
        what = event.get("error") or f"{read} read, {changed} published"
        when = datetime.fromisoformat(headers[Header.TIME])
        return Seen(when, event["site"], event["event"], "load", what, event["load"], "", record.value, headers)
    except (ValueError, KeyError, TypeError, AttributeError):
        return _unreadable(record, Reason.INVALID_JSON.value, headers)


def _unreadable(record: Any, reason: str, headers: dict[str, str]) -> Seen:
    when = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    place = f"{reason} at {record.partition}:{record.offset}"
    return Seen(when, "?", "unreadable", "?", place, "", "", None, headers)


def _texts(record: Any) -> dict[str, str]:
    return {name: (value or b"").decode(errors="replace") for name, value in record.headers}


def _what(event: Received) -> str:
    """Code, value and unit: `4548-4 7.1 %`."""
    if event.raw is None:
        return ""
    try:
        record = msgspec.json.decode(event.raw, type=_Event).record
    except msgspec.MsgspecError:
        return ""
    value = bytes(record.value).decode() if record.value else record.value_code or record.status
    return " ".join(str(part) for part in (record.code, value, record.unit) if part)
