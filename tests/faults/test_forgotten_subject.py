"""Fault 23: consent is withdrawn while consumers are away. On Apache Kafka, after compaction has taken the records and their withdrawals."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest
from apache_kafka import ApacheKafka, require_apache_kafka
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from sqlalchemy import Connection, Engine, create_engine, text
from states import save
from streams import Stream

from mainstem.consumer import Received
from mainstem.kafka import topics
from mainstem.state import Decision, State
from schemas.subjects import SubjectEvent, erasure_topic, subject_topic
from transforms.mapped import Mapped

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
AT = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
AT_ONCE = {"min.compaction.lag.ms": "0", "max.compaction.lag.ms": "1", "delete.retention.ms": "0", "segment.ms": "500"}
GONE = b"child-to-forget!"


def height(child: bytes, number: int, value: str) -> Mapped:
    """An observation as mapping hands it over."""
    record = blake2b(b"%b/%d" % (child, number), digest_size=12).digest() + bytes(4)
    names = f'"id":"r-{record.hex()}","subject":"s-{child.hex()}","site":"north"'
    said = f'{{"type":"observation",{names},"code":"8302-2","status":"final","value":{value},"unit":"cm"}}'
    return Mapped(record, "observation", child, said.encode(), b'"source":[],"mapping":"observation@1"', None)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """One broker that compacts as soon as it can."""
    require_apache_kafka()
    eager = {"log.cleaner.backoff.ms": "200", "log.cleaner.min.cleanable.ratio": "0.01"}
    kafka = ApacheKafka(tmp_path_factory.mktemp("kafka"), settings=eager).start()
    yield kafka
    kafka.stop()


@pytest.fixture
def compacting(cluster: ApacheKafka, network: str) -> Stream:
    """A network of one partition a topic; outcomes and subjects are compacted within seconds."""
    topics.create(cluster.bootstrap, network, partitions=1, replication=1)
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    for kind in ("outcome", "subject"):
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, f"{network}.{kind}.v1", AT_ONCE)])
    admin.close()
    return Stream(cluster.bootstrap, network)


class Consumer:
    """A consumer on the kit with a table of who has which value, in a file that can be put back."""

    def __init__(self, stream: Stream, path: Path, group: str) -> None:
        self._stream, self.path, self._group = stream, path, group

    def run(self, *, rebuild: bool = False) -> set[str]:
        """Catches up; returns of whom it has something."""
        engine = create_engine(f"sqlite:///{self.path}")
        with engine.begin() as connection:
            connection.execute(text("create table if not exists mine (record text primary key, subject text)"))
        options: dict[str, Any] = {"group": self._group, "erase": _erase, "clear": _clear}
        with self._stream.consumer(engine, _keep, **options) as consumer:
            if rebuild:
                consumer.rebuild()
            consumer.run_until_caught_up(timeout=60)
        return self.has(engine)

    @staticmethod
    def has(engine: Engine) -> set[str]:
        with engine.connect() as connection:
            found = set(connection.scalars(text("select distinct subject from mine")))
        engine.dispose()
        return found


def _keep(connection: Connection, events: Sequence[Received]) -> None:
    for event in events:
        connection.execute(text("delete from mine where record = :record"), {"record": event.record_id})
        if event.value is not None:
            row = {"record": event.record_id, "subject": event.subject}
            connection.execute(text("insert into mine values (:record, :subject)"), row)


def _erase(connection: Connection, subjects: Sequence[str]) -> int:
    gone = [connection.execute(text("delete from mine where subject = :who"), {"who": who}) for who in subjects]
    return sum(each.rowcount for each in gone)


def _clear(connection: Connection) -> None:
    connection.execute(text("delete from mine"))


def compacted(stream: Stream, night: Callable[[int], None]) -> None:
    """Other children's nights go on until the topic has no word of the one, not even that the records are withdrawn."""
    key, number = f"s-{GONE.hex()}".encode(), 100
    deadline = time.monotonic() + 90
    while any(record.key.startswith(key) for record in stream.records()):
        assert time.monotonic() < deadline, "the broker did not compact"
        time.sleep(0.7)
        night(number := number + 1)


def test_nobody_brings_back_whom_the_site_was_told_to_forget(compacting: Stream, tmp_path: Path) -> None:
    """Not who lags, was restored, rebuilds or begins; not a site's backup, before or after it was told what it forgot."""
    path, name = tmp_path / "north.db", f"s-{GONE.hex()}"
    other = blake2b(b"other", digest_size=16).digest()
    state = State.open(f"sqlite:///{path}")
    state.migrate()

    def night(number: int) -> None:
        save(state, "north", [height(other, 1, str(number))], [], AT + timedelta(minutes=number))
        compacting.publish(state.outbox)

    save(state, "north", [height(GONE, number, "120") for number in range(3)], [], AT)
    night(1)
    lagging, restored, new = (Consumer(compacting, tmp_path / f"{each}.db", each) for each in ("lags", "back", "new"))
    for each in (lagging, restored):
        assert each.run() == {name, f"s-{other.hex()}"}
    backup = tmp_path / "north.backup"
    with closing(connect(path)) as live, closing(connect(backup)) as kept:
        live.backup(kept)
    shutil.copy(restored.path, restored.path.with_suffix(".backup"))

    done = state.consents.decide("north", [Decision(GONE, "qi", False, AT, True)], AT + timedelta(hours=1))
    assert done.records == 3
    compacting.publish(state.outbox)
    assert restored.run() == {f"s-{other.hex()}"}
    compacted(compacting, night)

    left = {f"s-{other.hex()}"}
    shutil.copy(restored.path.with_suffix(".backup"), restored.path)
    assert [each.run() for each in (lagging, restored, new)] == [left, left, left]
    assert [each.run(rebuild=True) for each in (lagging, restored, new)] == [left, left, left]
    told = [SubjectEvent.model_validate_json(each.value) for each in compacting.records("subject.v1")]
    assert [(each.subject, each.erase) for each in told] == [(name, True)]

    state.close()
    for number, knows in enumerate((False, True), 2):
        again = tmp_path / f"again-{number}.db"
        shutil.copy(backup, again)
        old = State.open(f"sqlite:///{again}")
        if knows:
            assert old.consents.adopt("north", told, AT + timedelta(hours=2)).records == 3
        old.outbox.raise_epoch(number + 1)
        save(old, "north", [height(GONE, 7, "121")], [], AT + timedelta(hours=3))
        compacting.publish(old.outbox)
        assert bool(old.outbox.pending("north", limit=1)) is False
        old.close()
        assert [each.run() for each in (lagging, restored, new)] == [left, left, left]
    assert {subject_topic(compacting.network), erasure_topic(compacting.network)} <= {
        record.topic for kind in ("subject.v1", "erasure.v1") for record in compacting.records(kind)
    }
