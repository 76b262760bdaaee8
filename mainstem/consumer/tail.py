"""`mainstem tail`: the events of a network as they come, readable, without joining a consumer group."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from kafka import KafkaConsumer, TopicPartition
from rich.console import Console
from rich.text import Text

from mainstem.consumer.received import LetterReason, Received, read_event, read_load
from mainstem.consumer.subjects import read_subject
from mainstem.kafka.envelopes import instant
from mainstem.kafka.reading import partitions_of
from mainstem.kafka.record_batches import settle
from mainstem.kafka.settings import Reach, as_settings, kafka_errors
from schemas.errors import OperatorError
from schemas.events import Header
from schemas.loads import is_load_topic
from schemas.showing import shown
from schemas.subjects import is_subject_topic

WORD, SENTENCE = 40, 300
"""Characters of a name and of what happened."""
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
        """One line for a terminal, whatever stands in the event."""
        return Text.assemble(
            (f"{self.time:%Y-%m-%d %H:%M:%S}", "dim"),
            f"  {shown(self.site, WORD):<12} ",
            (f"{self.operation:<10}", STYLES.get(self.operation, "bold")),
            f" {shown(self.type, WORD):<13} ",
            (f"{shown(self.what, SENTENCE):<32}", "bold"),
            (f" {shown(self.record[:SHORT])} {shown(self.subject[:SHORT])}", "dim"),
        )

    def json(self) -> str:
        """The headers and the value as one JSON line, in ASCII: a terminal may be reading it."""
        value = json.loads(self.raw) if self.raw else None
        return json.dumps({"headers": self.headers, "value": value}, separators=(",", ":"))


def print_events(
    reach: Reach,
    topic: str,
    console: Console,
    *,
    from_beginning: bool = False,
    follow: bool = True,
    site: str | None = None,
    record_type: str | None = None,
    as_json: bool = False,
) -> None:
    """Print a topic's events, a line each, until interrupted or, without `follow`, up to what is there now."""
    sites: set[str] = set()
    for event in tail(reach, topic, from_beginning=from_beginning, follow=follow, record_type=record_type):
        sites.add(event.site)
        if site is not None and event.site != site:
            continue
        if as_json:
            console.out(event.json(), highlight=False)
        else:
            console.print(event.text(), soft_wrap=True)
    if site is not None and site not in sites:
        raise OperatorError(
            f"{site}: no event of such a site is in {topic}",
            f"There are events of: {', '.join(sorted(sites)) or 'none'}.",
        )


class _Record(msgspec.Struct):
    code: Any = None
    method: Any = None
    value: msgspec.Raw = msgspec.Raw(b"")
    value_code: str | None = None
    unit: str | None = None
    status: str | None = None


class _Event(msgspec.Struct):
    record: _Record


def tail(
    reach: Reach,
    topic: str,
    *,
    from_beginning: bool = False,
    follow: bool = True,
    site: str | None = None,
    record_type: str | None = None,
    poll_seconds: float = 0.5,
) -> Iterator[Seen]:
    """An outcome, load or subject topic's events, of all partitions, from the start or from now on; without `follow` up to the
    end as it is now."""
    show = _seen_load if is_load_topic(topic) else _seen_subject if is_subject_topic(topic) else _seen
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
        settle(client)
        try:
            for record in _records(client, topic, from_beginning, follow, poll_seconds):
                seen = show(record)
                if (site is None or seen.site == site) and (record_type is None or seen.type == record_type):
                    yield seen
        finally:
            client.close(autocommit=False, timeout_ms=1000)


def _records(
    client: KafkaConsumer, topic: str, from_beginning: bool, follow: bool, poll_seconds: float
) -> Iterator[Any]:
    partitions = partitions_of(client, topic)
    client.assign(partitions)
    (client.seek_to_beginning if from_beginning else client.seek_to_end)(*partitions)
    started = int(time.time() * 1000)
    ends = client.end_offsets(partitions)
    old: dict[TopicPartition, int] = {}
    while follow or any(_before_end(client, partition, end) for partition, end in ends.items()):
        polled = client.poll(timeout_ms=int(poll_seconds * 1000))
        if not from_beginning:
            # Tansu takes the start of the last batch for the end: what was there at the first fetch is not news.
            for partition in partitions:
                if partition not in old and (end := client.highwater(partition)) is not None:
                    old[partition] = end
        batch = [
            record
            for partition, records in polled.items()
            for record in records
            if record.offset >= old.get(partition, 0) or record.timestamp >= started
        ]
        # Partitions are read one after another; within a poll, time orders them for the reader.
        yield from sorted(batch, key=lambda record: record.timestamp)


def _before_end(client: KafkaConsumer, partition: TopicPartition, end: int) -> bool:
    position = client.position(partition, timeout_ms=2000) or 0
    return bool(position < max(end, client.highwater(partition) or 0))


def _seen(record: Any) -> Seen:
    headers = _texts(record)
    event = read_event(record)
    if isinstance(event, LetterReason):
        return _unreadable(record, event.value, headers)
    return Seen(
        event.time,
        event.site,
        event.op.value,
        event.record_type,
        _what(event),
        event.record_id,
        event.subject,
        event.value,
        headers,
    )


def _seen_load(record: Any) -> Seen:
    headers = _texts(record)
    event = read_load(record)
    if isinstance(event, LetterReason):
        return _unreadable(record, event.value, headers)
    try:
        when = instant(headers[Header.TIME].encode())
    except (KeyError, ValueError):
        return _unreadable(record, LetterReason.INVALID_HEADER.value, headers)
    read = sum(counts.read for counts in event.types.values())
    what = event.error or f"{read} read, {event.published} published"
    return Seen(when, event.site, event.event.value, "load", what, event.load, "", record.value, headers)


def _seen_subject(record: Any) -> Seen:
    headers, found = _texts(record), read_subject(record)
    if isinstance(found, LetterReason):
        return _unreadable(record, found.value, headers)
    event = found.event
    what = ", ".join(
        (
            *event.withdrawn,
            *(["erase"] if event.erase else []),
            *([f"is {event.superseded_by}"] if event.superseded_by else []),
        )
    )
    return Seen(event.at, event.site, event.event.value, "subject", what, "", event.subject, record.value, headers)


def _unreadable(record: Any, reason: str, headers: dict[str, str]) -> Seen:
    try:
        when = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    except (ValueError, OverflowError, OSError):  # the producer's word, 64 bits of it
        when = datetime.fromtimestamp(0, UTC)
    place = f"{reason} at {record.partition}:{record.offset}"
    return Seen(when, "?", "unreadable", "?", place, "", "", None, headers)


def _texts(record: Any) -> dict[str, str]:
    return {name: (value or b"").decode(errors="replace") for name, value in record.headers}


def _what(event: Received) -> str:
    """Code, or how it was derived, value and unit: `4548-4 7.1 %`."""
    if event.value is None:
        return ""
    try:
        record = msgspec.json.decode(event.value, type=_Event).record
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    value = bytes(record.value).decode() if record.value else record.value_code or record.status
    named = record.code or (record.method if isinstance(record.method, str) else None)
    return " ".join(str(part) for part in (named, value, record.unit) if part)
