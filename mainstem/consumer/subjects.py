"""How it stands with subjects: what the subject topic says, kept beside a group's place, so that nobody who is to be forgotten comes
back by what is late, replayed, read again from the beginning, or sent by a site's backup.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from kafka import KafkaProducer
from pydantic import ValidationError
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Integer,
    Row,
    String,
    Table,
    and_,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from mainstem.consumer.ledger import LOOKUP, Ledger, metadata
from mainstem.consumer.received import LetterReason, Received
from mainstem.kafka.envelopes import GROUP, MAX_EPOCH, MAX_SEQUENCE, UnsoundError, envelope_of, within_time
from mainstem.kafka.record_batches import settle
from mainstem.kafka.settings import KafkaSettings, kafka_errors
from mainstem.kafka.topics import partitions_of
from schemas.errors import OperatorError
from schemas.events import CONTENT_TYPE, SPEC_VERSION, Header, data_schema
from schemas.subjects import (
    SCOPES,
    ConsentAsked,
    ConsentHeeded,
    ErasureReport,
    SubjectEvent,
    SubjectEventType,
    erasure_topic,
    erasure_type,
    heeded_type,
)

Erase = Callable[[Connection, Sequence[str]], int]
"""Deletes all that a handler keeps of subjects (`s-…`), by the connection given; returns how many rows went. It neither commits nor
rolls back, and may be called again for the same subjects."""

consumer_subject = Table(
    "consumer_subject",
    metadata,
    Column("consumer_group", String(100), primary_key=True),
    Column("subject", String(34), primary_key=True),
    Column("site", String(31), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("qi", Boolean, nullable=False, comment="Consent to quality improvement is withdrawn."),
    Column("research", Boolean, nullable=False, comment="Nothing of the subject goes into an extract."),
    Column("erase", Boolean, nullable=False),
    Column("superseded_by", String(34)),
    Column("rows", BigInteger, nullable=False, comment="How many were erased."),
    Column("unreported", Boolean, nullable=False),
)
c = consumer_subject.c
OF_CONSENT = (SubjectEventType.WITHDRAWN, SubjectEventType.GIVEN)
GroupReport = ErasureReport | ConsentHeeded
"""What a group says of a subject event."""


def given_again(group: str) -> ColumnElement[bool]:
    """Subjects of whom a group was told that they are not, or no longer, to be forgotten."""
    return and_(c.consumer_group == group, ~c.erase)


def no_extract(group: str) -> ColumnElement[bool]:
    """Subjects of whom a group was told that nothing goes into an extract."""
    return and_(c.consumer_group == group, c.research)


class FoundSubject(NamedTuple):
    """A subject event and the Kafka record that brought it."""

    event: SubjectEvent
    epoch: int
    source: Any


def read_subject(record: Any) -> FoundSubject | LetterReason:
    """A Kafka record of the subject topic, or why it is none."""
    try:
        told = envelope_of(record, "subject")
        event = SubjectEvent.model_validate_json(record.value or b"")
    except UnsoundError as exc:
        return LetterReason(exc.fault)
    except ValidationError:
        return LetterReason.INVALID_RECORD
    if told.version is None:
        return LetterReason.MISSING_HEADER
    epoch, sequence = told.version
    said = (event.subject.encode(), event.subject.encode(), event.site, event.event.value, event.sequence)
    if said != (record.key, told.about, told.origin, told.event, sequence):
        return LetterReason.CONTRADICTION
    unfounded = event.erase and "qi" not in event.withdrawn
    if unfounded or event.superseded_by == event.subject or not within_time(event.at):
        return LetterReason.INVALID_RECORD
    return FoundSubject(event, epoch, record)


class Subjects:
    """A group's. What is given a connection belongs to the caller's transaction."""

    def __init__(self, group: str, erase: Erase | None = None) -> None:
        self._group, self._erase = group, erase
        self._mine = c.consumer_group == group

    def take(self, connection: Connection, found: Sequence[FoundSubject]) -> int:
        """What is newer than what was known of its subject; returns how many subjects were erased."""
        known = self._versions(connection, {each.event.subject for each in found})
        latest: dict[str, FoundSubject] = {}
        for each in found:
            last, version = latest.get(each.event.subject), (each.epoch, each.event.sequence)
            before = (last.epoch, last.event.sequence) if last else known.get(each.event.subject, (0, 0))
            if version > before:
                latest[each.event.subject] = each
        gone = sorted(subject for subject, each in latest.items() if each.event.erase)
        rows = {subject: self._erase(connection, [subject]) if self._erase else 0 for subject in gone}
        if latest:
            connection.execute(_newer(connection), [self._row(each, rows) for _, each in sorted(latest.items())])
        return len(gone)

    def any_forgotten(self, ledger: Ledger) -> bool:
        """Whether there is anybody."""
        with ledger.begin() as connection:
            return connection.execute(select(c.subject).where(self._mine, c.erase).limit(1)).first() is not None

    def open_to(self, connection: Connection, events: Sequence[Received]) -> list[Received]:
        """The events without what is said of subjects who are forgotten. That a record of theirs is withdrawn may be said."""
        forgotten = and_(self._mine, c.erase)
        if connection.execute(select(c.subject).where(forgotten).limit(1)).first() is None:
            return list(events)
        gone = set[str]()
        for some in _portions({event.subject for event in events}):
            gone.update(connection.scalars(select(c.subject).where(forgotten, c.subject.in_(some))))
        return [event for event in events if event.value is None or event.subject not in gone]

    def adopt(self, connection: Connection, group: str) -> None:
        """What another group of this database knows."""
        rest = [column for column in consumer_subject.c if column.name != "consumer_group"]
        rows = connection.execute(select(*rest).where(c.consumer_group == group)).mappings().all()
        if rows:
            connection.execute(insert(consumer_subject), [{**row, "consumer_group": self._group} for row in rows])

    def unreported(self, connection: Connection) -> list[GroupReport]:
        """What was done, or is gone by, and nobody was told of: some of it where that is much."""
        now = datetime.now(UTC).replace(microsecond=0)
        rows = connection.execute(select(consumer_subject).where(self._mine, c.unreported).limit(LOOKUP))
        return [self._answer(row, now) for row in rows]

    def _answer(self, row: Row[Any], now: datetime) -> GroupReport:
        named = {name: getattr(row, name) for name in ("site", "subject", "epoch", "sequence")}
        if row.erase:
            return ErasureReport(group=self._group, **named, erased=self._erase is not None, rows=row.rows, at=now)
        return ConsentHeeded(group=self._group, **named, withdrawn=[s for s in SCOPES if getattr(row, s)], at=now)

    def reported(self, connection: Connection, reports: Iterable[GroupReport]) -> None:
        """The broker has these."""
        for each in reports:
            this = and_(c.subject == each.subject, c.epoch == each.epoch, c.sequence == each.sequence)
            connection.execute(update(consumer_subject).where(self._mine, this).values(unreported=False))

    def _row(self, found: FoundSubject, rows: dict[str, int]) -> dict[str, Any]:
        event = found.event
        return {
            "consumer_group": self._group,
            "subject": event.subject,
            "site": event.site,
            "epoch": found.epoch,
            "sequence": event.sequence,
            "qi": "qi" in event.withdrawn,
            "research": bool(event.withdrawn),
            "erase": event.erase,
            "superseded_by": event.superseded_by,
            "rows": rows.get(event.subject, 0),
            "unreported": event.erase or event.event in OF_CONSENT,
        }

    def _versions(self, connection: Connection, subjects: Collection[str]) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        for some in _portions(subjects):
            rows = connection.execute(select(c.subject, c.epoch, c.sequence).where(self._mine, c.subject.in_(some)))
            found.update((subject, (epoch, sequence)) for subject, epoch, sequence in rows)
        return found


class ReportSender:
    """Tells the sites what became of erasures, and what is gone by: sent after it is kept, and again after a crash, under the same id.

    The group's outbox: rows written with the erasure, in the handler's database. The publisher drains a site's state, of which a
    consumer has none.
    """

    def __init__(self, settings: KafkaSettings, network: str, engine: Engine, subjects: Subjects) -> None:
        self._settings, self._network, self._engine, self.subjects = settings, network, engine, subjects

    def send(self) -> int:
        """All that nobody was told of; returns how many."""
        count = 0
        while reports := self._waiting():
            send(self._settings, self._network, [as_sent(self._network, each) for each in reports])
            with self._engine.begin() as connection:
                self.subjects.reported(connection, reports)
            count += len(reports)
        return count

    def _waiting(self) -> list[GroupReport]:
        with self._engine.connect() as connection:
            return self.subjects.unreported(connection)


def send(settings: KafkaSettings, network: str, messages: Sequence[dict[str, Any]]) -> None:
    """To the erasure topic, until the broker has all. Raises OperatorError where there is none, TemporaryError where it is away."""
    topic = erasure_topic(network)
    if not partitions_of(settings, topic):
        raise OperatorError(
            f"there is no topic {topic}: nobody is told what is to be forgotten, or was", "`mainstem topics create`."
        )
    with kafka_errors(settings):
        producer = KafkaProducer(
            **settings.client_options(), acks="all", allow_auto_create_topics=False, metrics_enabled=False
        )
        settle(producer)
        try:
            sent = [producer.send(topic, **message) for message in messages]
            for future in sent:
                future.get(timeout=40)
        finally:
            producer.close(timeout=5)


_WORD, HEEDED = "reported", "consent_heeded"
NAMESPACE = uuid5(NAMESPACE_URL, "urn:mainstem:erasure")
"""`ce_id` of a report = uuid5 of this and `group/subject/epoch.sequence`."""


def read_report(record: Any) -> ErasureReport | LetterReason:
    """A Kafka record of the erasure topic, or why it is none."""
    try:
        told = envelope_of(record, "erasure", origin=GROUP)
        report = ErasureReport.model_validate_json(record.value or b"")
    except UnsoundError as exc:
        return LetterReason(exc.fault)
    except ValidationError:
        return LetterReason.INVALID_RECORD
    said = (report.site.encode(), report.group, report.subject.encode(), _WORD)
    if said != (record.key, told.origin, told.about, told.event):
        return LetterReason.CONTRADICTION
    sound = within_time(report.at) and report.epoch <= MAX_EPOCH and max(report.sequence, report.rows) <= MAX_SEQUENCE
    return report if sound else LetterReason.INVALID_RECORD


def read_heeded(record: Any) -> ConsentHeeded | LetterReason:
    """A Kafka record of the erasure topic that says what a group goes by, or why it is none."""
    try:
        told = envelope_of(record, "erasure", origin=GROUP, schema=HEEDED)
        heeded = ConsentHeeded.model_validate_json(record.value or b"")
    except UnsoundError as exc:
        return LetterReason(exc.fault)
    except ValidationError:
        return LetterReason.INVALID_RECORD
    said = (heeded.site.encode(), heeded.group, heeded.subject.encode(), "heeded")
    if said != (record.key, told.origin, told.about, told.event):
        return LetterReason.CONTRADICTION
    sound = within_time(heeded.at) and heeded.epoch <= MAX_EPOCH and heeded.sequence <= MAX_SEQUENCE
    return heeded if sound else LetterReason.INVALID_RECORD


def as_sent(network: str, report: GroupReport) -> dict[str, Any]:
    """A report as `KafkaProducer.send` takes it, but for the topic."""
    named, source = f"{report.group}/{report.subject}/{report.epoch}.{report.sequence}", f"/consumer/{report.group}"
    if isinstance(report, ConsentHeeded):
        return message(report, f"heeded/{named}", source, heeded_type(network), HEEDED)
    return message(report, named, source, erasure_type(network), "erasure")


def message(told: GroupReport | ConsentAsked, named: str, source: str, type_: str, schema: str) -> dict[str, Any]:
    """What `KafkaProducer.send` takes, but for the topic; `named`: by what its id is known again."""
    headers = {
        Header.SPEC_VERSION: SPEC_VERSION,
        Header.ID: str(uuid5(NAMESPACE, named)),
        Header.SOURCE: source,
        Header.TYPE: type_,
        Header.TIME: told.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        Header.SUBJECT: told.subject,
        Header.DATA_SCHEMA: data_schema(schema),
        Header.CONTENT_TYPE: CONTENT_TYPE,
    }
    return {
        "key": told.site.encode(),
        "value": told.model_dump_json().encode(),
        "headers": [(str(name), text.encode()) for name, text in headers.items()],
    }


def _newer(connection: Connection) -> Any:
    """Keeps how it stands with subjects, unless another member has kept what is newer."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    new = dialect.insert(consumer_subject)
    key = {"consumer_group", "subject"}
    return new.on_conflict_do_update(
        index_elements=sorted(key),
        set_={column.name: column for column in new.excluded if column.name not in key},
        where=tuple_(new.excluded.epoch, new.excluded.sequence) > tuple_(c.epoch, c.sequence),
    )


def _portions(items: Iterable[str]) -> Iterable[list[str]]:
    ordered = sorted(items)
    return (ordered[start : start + 500] for start in range(0, len(ordered), 500))
