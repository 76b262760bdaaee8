"""The topic of what a consumer could not use."""

from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import msgspec
import structlog
from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaTimeoutError

from mainstem.consumer.received import LetterReason, record_named
from mainstem.kafka.reading import reading
from mainstem.kafka.record_batches import BATCH_BYTES, Batch, Filling, introduce, road, settle
from mainstem.kafka.record_format import body
from mainstem.kafka.settings import KafkaSettings, kafka_errors
from mainstem.kafka.topics import create_missing, dead_letter_topic, dead_letters
from schemas.errors import MainstemError, OperatorError
from schemas.loads import is_load_topic
from schemas.subjects import is_subject_topic

log = structlog.get_logger(__name__)


ACKNOWLEDGED_SECONDS = 40
LARGEST = 900_000
"""Bytes of key and content: a broker takes batches of 1,048,588 bytes if nobody told it otherwise."""
TOPIC_ID = "topic-id"
NAMELESS = (LetterReason.CONTRADICTION, LetterReason.FOREIGN_SITE)
"""Reasons by which a letter is no record's: it may not hold back what it only names."""


class Place(NamedTuple):
    """Where a Kafka record lies."""

    topic: str
    partition: int
    offset: int


def place_of(record: Any) -> Place:
    """Where a Kafka record lies."""
    return Place(record.topic, record.partition, record.offset)


class Letter(NamedTuple):
    """A Kafka record that could not be used, and why."""

    record: Any
    reason: LetterReason

    @property
    def place(self) -> Place:
        """Where the record came from."""
        return place_of(self.record)

    @property
    def of_record(self) -> bytes | None:
        """The outcome record it is a change of, 16 bytes; None where it names none, or speaks of more than one."""
        other = is_load_topic(self.record.topic) or is_subject_topic(self.record.topic)
        return None if self.reason in NAMELESS or other else record_named(self.record)


class Returned(NamedTuple):
    """A Kafka record as its letter gives it back."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    timestamp: int = 2**63 - 1
    """A letter does not tell it. Only what was new enough for its consumer became one."""


class Notes(Protocol):
    """What the database knows of letters that were sent."""

    def known(self, places: Iterable[Place]) -> Mapping[Place, int]:
        """Those of the places whose letters it has, and where these lie."""
        ...

    def last_of(self, partition: TopicPartition) -> int:
        """Where the last letter of a partition lies; -1 for none."""
        ...


class _NoNotes:
    """Of letters without a database."""

    def known(self, places: Iterable[Place]) -> Mapping[Place, int]:
        return {}

    def last_of(self, partition: TopicPartition) -> int:
        return -1


class DeadLetters:
    """Sends what could not be read to the group's dead-letter topic and waits for the acknowledgement.

    A letter that was acknowledged is not sent again, though we were killed before the place moved: what lies in the topic behind the
    letters of a partition that the database knows is looked through before the first is sent.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        network: str,
        group: str,
        notes: Notes | None = None,
    ) -> None:
        self._settings = settings
        self._network = network
        self._group = group
        self._notes = notes or _NoNotes()
        self._topic = dead_letter_topic(network, group)
        self._road = road(plain=settings.plain_send)
        self._producer: KafkaProducer | None = None
        self._sent: dict[Place, int] = {}
        self._looked: set[TopicPartition] = set()
        self._identities: Mapping[str, str] = {}

    def read_from(self, identities: Mapping[str, str]) -> None:
        """The brokers' own names of the topics that are read: a letter of one before it, of the same name, is of another record."""
        if identities != self._identities:
            self._identities = identities
            self._sent.clear()
            self._looked.clear()

    def send(self, letters: Sequence[Letter]) -> None:
        """All of them, then one wait. Raises when a letter was not acknowledged: the offset must then stay."""
        if not letters:
            return
        self._prove_topic()
        self._look(letters)
        new = {place: letter for letter in letters if (place := letter.place) not in self._sent}
        self._sent |= self._notes.known(new)
        if not (unsent := {place: letter for place, letter in new.items() if place not in self._sent}):
            return
        self._sent |= zip(unsent, self._offsets(unsent.values()), strict=True)
        first = next(iter(unsent))
        log.error(
            "dead letters",
            topic=self._topic,
            reasons=dict(Counter(letter.reason.value for letter in unsent.values())),
            first=f"{first.topic} {first.partition}:{first.offset}",
        )

    def offset_of(self, place: Place) -> int:
        """Where the letter of a place lies; -1 where the broker did not say."""
        return self._sent.get(place, -1)

    def forget(self, moves: Mapping[TopicPartition, tuple[int, int]]) -> None:
        """The places have moved on: the database knows these letters."""
        if self._sent:
            before = {partition: after for partition, (_, after) in moves.items()}
            for place in list(self._sent):
                if place.offset < before.get(TopicPartition(place.topic, place.partition), 0):
                    del self._sent[place]

    def read(self, places: Mapping[Place, int]) -> dict[Place, Returned]:
        """The records whose letters, of these places, lie at these offsets; those that are no longer there are left out."""
        found: dict[Place, Returned] = {}
        known = [offset for offset in places.values() if offset >= 0]
        start = min(known) if len(known) == len(places) else 0
        with self._reading(TopicPartition(self._topic, 0), start) as records:
            for record in records:
                place = _place_of(record)
                of = place is not None and places.get(place) in (-1, record.offset)
                if place is not None and of and (content := _given_back(record, place)):
                    found[place] = content
                if len(found) == len(places):
                    break
        for place in places.keys() - found.keys():  # too large for a letter, or older than the topic keeps
            if content := self._at_its_source(place):
                found[place] = content
        return found

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=2)
            self._producer = None

    def _look(self, letters: Sequence[Letter]) -> None:
        """What was sent of these partitions by a process before us, and never came into the database."""
        partitions = {TopicPartition(letter.record.topic, letter.record.partition) for letter in letters}
        if not (new := partitions - self._looked):
            return
        start = min(self._notes.last_of(partition) for partition in new) + 1
        with self._reading(TopicPartition(self._topic, 0), start) as records:
            for record in records:
                if (place := _place_of(record)) and self._is_of(place.topic, record):
                    self._sent.setdefault(place, record.offset)
        self._looked |= new

    def _is_of(self, topic: str, letter: Any) -> bool:
        """Whether a letter is of the topic that is read now; those of before a name stood in them are taken for that."""
        named = dict(letter.headers).get(TOPIC_ID)
        return named is None or named.decode() == self._identities.get(topic, named.decode())

    def _offsets(self, letters: Iterable[Letter]) -> list[int]:
        """Sends them together; returns where each lies. Raises KafkaError where one was not acknowledged."""
        producer, offsets = self._connected(), list[int]()
        with kafka_errors(self._settings):
            sent = [self._road.send(producer, batch) for batch in self._batches(letters)]
            for each in sent:
                if not each.arrived(ACKNOWLEDGED_SECONDS):
                    raise KafkaTimeoutError(f"letters were not acknowledged in {ACKNOWLEDGED_SECONDS} s")
                offsets += each.offsets()
        return offsets

    def _batches(self, letters: Iterable[Letter]) -> Iterator[Batch]:
        filling = Filling(TopicPartition(self._topic, 0))
        for letter in letters:
            record = _as_sent(letter, self._identities.get(letter.record.topic))
            if filling.events and len(filling.records) + len(record) > BATCH_BYTES:
                yield filling.done()
                filling = Filling(filling.partition)
            filling.add(record)
        yield filling.done()

    def _at_its_source(self, place: Place) -> Returned | None:
        with self._reading(TopicPartition(place.topic, place.partition), place.offset) as records:
            found = next(records, None)
        if found is None or found.offset != place.offset:
            return None
        return Returned(*place, found.key, found.value, list(found.headers))

    def _reading(self, partition: TopicPartition, start: int) -> AbstractContextManager[Iterator[Any]]:
        return reading(self._settings, partition, start, name=f"mainstem-dead-letters-{self._group}")

    def _connected(self) -> KafkaProducer:
        if self._producer is None:
            with kafka_errors(self._settings):
                self._producer = KafkaProducer(
                    **self._settings.client_options(),
                    client_id=f"mainstem-dead-letters-{self._group}",
                    acks="all",
                    enable_idempotence=True,
                    compression_type="lz4",
                    batch_size=BATCH_BYTES,
                    max_block_ms=10_000,
                    delivery_timeout_ms=30_000,
                    max_request_size=2_000_000,
                    allow_auto_create_topics=False,
                    metrics_enabled=False,
                )
                settle(self._producer)
                introduce(self._producer, [self._topic])
        return self._producer

    def _prove_topic(self) -> None:
        """Makes it with the cluster's default number of replicas where it is missing; a broker would make it with settings of its own."""
        wanted = dead_letters(self._network, self._group, replication=-1, min_in_sync=1)
        try:
            create_missing(self._settings, [wanted])
        except MainstemError as exc:
            raise OperatorError(
                f"{wanted.name} is missing and could not be created: {exc.cause}",
                "Let an administrator create it, for the publishers and this consumer alone.",
            ) from exc


class _Encoded(msgspec.Struct):
    """Bytes that are no text."""

    base64: str


_Text = str | _Encoded | None


class _Content(msgspec.Struct):
    """The value of a letter: the record's headers and value, as text where they are text."""

    headers: list[tuple[str, _Text]]
    value: _Text


_content = msgspec.json.Decoder(_Content)


def _as_sent(letter: Letter, identity: str | None) -> bytes:
    """A letter as Kafka keeps it: the record as it came within the letter's value, its reason and place in headers: never text of the event or of an error there.

    What is too large for any topic is left out, so that it cannot hold the offset for ever; the place says where it lies.
    """
    record = letter.record
    key = record.key or b""
    headers = [(name, _as_text(text)) for name, text in record.headers]
    value: bytes | None = msgspec.json.encode(_Content(headers, _as_text(record.value)))
    facts = {
        "reason": letter.reason.value,
        "stage": "consume",
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
    }
    if identity:
        facts[TOPIC_ID] = identity
    if len(key) + len(value or b"") > LARGEST:
        facts["left-out-bytes"] = len(key) + len(record.value or b"")
        key, value = key[:100], None
    return body(key, value, [(name, str(fact).encode()) for name, fact in facts.items()])


def _as_text(content: bytes | None) -> _Text:
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return _Encoded(b64encode(content).decode())


def _as_bytes(text: _Text) -> bytes | None:
    if isinstance(text, _Encoded):
        return b64decode(text.base64)
    return None if text is None else text.encode()


def _place_of(letter: Any) -> Place | None:
    """Whose letter it is; None where it is none of ours."""
    facts = dict(letter.headers)
    try:
        return Place(facts["topic"].decode(), int(facts["partition"]), int(facts["offset"]))
    except (KeyError, ValueError, AttributeError, TypeError):
        return None


def _given_back(letter: Any, place: Place) -> Returned | None:
    """The record of a letter; None where it was left out, or is not ours to read."""
    try:
        content = _content.decode(letter.value or b"")
        headers = [(name, _as_bytes(text)) for name, text in content.headers]
        return Returned(*place, letter.key or None, _as_bytes(content.value), headers)
    except (msgspec.MsgspecError, ValueError):
        return None


def as_shown(record: Returned) -> dict[str, Any]:
    """A record for a person's eyes: text where it is text."""
    headers = [(name, _as_text(text)) for name, text in record.headers]
    content = _Content(headers, _as_text(record.value))
    return {"key": msgspec.to_builtins(_as_text(record.key)), **msgspec.to_builtins(content)}
