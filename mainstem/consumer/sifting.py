"""What a poll brought, sorted: what is for the handlers, what is a dead letter, and what is passed over unread."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import structlog
from kafka import TopicPartition

from mainstem.consumer.dead_letters import Letter
from mainstem.consumer.handling import Found, FoundLoad
from mainstem.consumer.received import LetterReason, read_event, read_load
from mainstem.consumer.starting import Start
from mainstem.consumer.subjects import FoundSubject, read_subject
from mainstem.kafka.envelopes import TYPE, network_of
from schemas.events import Header, data_schema, source_of
from schemas.loads import is_load_topic
from schemas.outcomes import RECORD_TYPES
from schemas.subjects import is_subject_topic

log = structlog.get_logger(__name__)
READ_AGAIN = "Update the consumer, then read the topic from the start with a new group."


class Only(NamedTuple):
    """What a consumer wants; empty: all. The rest is passed over before it is decoded, whatever it holds."""

    sites: Collection[str] = ()
    types: Collection[str] = ()
    """Record types, `observation`."""
    codes: Collection[str] = ()
    """Of records that have one. A record that changes to another code comes as a withdrawal, once it was handled."""


class Sieve:
    """Sorts for one consumer of a network; of none, where any is right."""

    def __init__(
        self,
        group: str,
        *,
        network: str | None = None,
        only: Only = Only(),
        members: Collection[str] | None = None,
        since: Start | None = None,
        unknown_too: bool = False,
    ) -> None:
        self._group, self._network = group, network
        self._unknown_too = unknown_too
        self._since = int(since.timestamp() * 1000) if isinstance(since, datetime) else 0
        self._only = only
        self._members = None if members is None else frozenset(members)
        self._sources = frozenset(source_of(site).encode() for site in only.sites)
        self._schemas = frozenset(data_schema(name).encode() for name in only.types)
        self._all = not (self._sources or self._schemas or self._since)
        self._unknown_types = set[str]()

    def sort(self, polled: Mapping[TopicPartition, list[Any]]) -> Found:
        """Each partition's records in their order."""
        found, subjects, ignored, unwanted = Found([], [], []), list[FoundSubject](), Counter[str](), 0
        for partition, records in polled.items():
            if is_load_topic(partition.topic):
                for record in records:
                    self._load(record, found)
            elif is_subject_topic(partition.topic):
                subjects += self._subjects(records, found)
            else:
                wanted = records if self._all else [each for each in records if self._wanted(each)]
                unwanted += len(records) - len(wanted) + self._events(wanted, found, ignored)
        return found._replace(subjects=subjects, ignored=ignored, unwanted=unwanted)

    def _subjects(self, records: Sequence[Any], found: Found) -> Iterator[FoundSubject]:
        """Of every site, whichever are wanted: who is forgotten must not come by another's name."""
        for record in records:
            subject = read_subject(record)
            if isinstance(subject, LetterReason):
                found.unusable.append(Letter(record, subject))
            elif foreign := self._foreign(_network(record), subject.event.site):
                found.unusable.append(Letter(record, foreign))
            else:
                yield subject

    def _load(self, record: Any, found: Found) -> None:
        load = read_load(record)
        if isinstance(load, LetterReason):
            found.unusable.append(Letter(record, load))
        elif foreign := self._foreign(_network(record), load.site):
            found.unusable.append(Letter(record, foreign))
        elif not self._only.sites or load.site in self._only.sites:
            found.loads.append(FoundLoad(load, record))

    def _events(self, records: Sequence[Any], found: Found, ignored: Counter[str]) -> int:
        """Returns how many are of codes that are not wanted."""
        codes, unwanted = self._only.codes, 0
        for record in records:
            event = read_event(record)
            if isinstance(event, LetterReason):
                found.unusable.append(Letter(record, event))
            elif foreign := self._foreign(event.network, event.site):
                found.unusable.append(Letter(record, foreign))
            elif event.record_type in RECORD_TYPES or self._unknown(event.record_type, ignored):
                if codes and event.value is not None and _code(event.value) not in codes:
                    unwanted += 1
                    event.leave()
                found.events.append(event)
        return unwanted

    def _foreign(self, network: str, site: str) -> LetterReason | None:
        """Why what is told of a site in a network is not for us. A mirror may put words before a topic's name, `east.lhn.outcome.v1`."""
        ours = self._network
        if ours is not None and network != ours and not ours.endswith(f".{network}"):
            return LetterReason.FOREIGN_NETWORK
        return LetterReason.FOREIGN_SITE if self._members is not None and site not in self._members else None

    def _wanted(self, record: Any) -> bool:
        """By its headers alone; one that lacks them is not passed over: it is a dead letter."""
        headers = dict(record.headers)
        source, schema = headers.get(Header.SOURCE), headers.get(Header.DATA_SCHEMA)
        return bool(
            record.timestamp >= self._since  # brokers find the batch of a time, not the event
            and (not self._sources or source is None or source in self._sources)
            and (not self._schemas or schema is None or schema in self._schemas)
        )

    def _unknown(self, record_type: str, ignored: Counter[str]) -> bool:
        """Counts an event of a type that this version does not know; whether it is handed over all the same."""
        if record_type not in self._unknown_types:
            self._unknown_types.add(record_type)
            log.warning(
                "events of a record type that this version does not know",
                group=self._group,
                record_type=record_type,
                done="kept as they are" if self._unknown_too else "passed over",
                fix="Update the consumer." if self._unknown_too else READ_AGAIN,
            )
        ignored[record_type] += 1
        return self._unknown_too


def _network(record: Any) -> str:
    """The network that a sound event names."""
    return network_of(dict(record.headers)[TYPE])


class _Record(msgspec.Struct):
    code: Any = None


class _Value(msgspec.Struct):
    record: _Record


_value = msgspec.json.Decoder(_Value)


def _code(value: bytes) -> str:
    """The code of an event that is known to be well-formed; empty where it has none."""
    code = _value.decode(value).record.code
    return code if isinstance(code, str) else ""
