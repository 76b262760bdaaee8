"""The stream: publishing beside bare producers of the same bytes, the kit into PostgreSQL, replay, reconcile, one change's way to a row."""

import json
from collections.abc import Iterator
from pathlib import Path

from bench import Bench
from figure import Figure

EVENTS = 200_000
CHANGES = 40
SCRIPT = """
import sys; sys.path.insert(0, sys.argv.pop(1))
import json, resource, statistics, threading, time
from datetime import UTC, datetime
from hashlib import blake2b
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from sqlalchemy import create_engine, make_url, text
from states import save
from mainstem.config.settings import Settings
from mainstem.consumer import Consumer
from mainstem.kafka.topics import create
from mainstem.mending.reconcile import reconcile
from mainstem.mending.replay import replay
from mainstem.publisher import publisher_of
from mainstem.state import State
from transforms.mapped import Mapped
kafka, state_url, tables_url, events, changes = *sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5])
settings = Settings(network="stream", kafka=kafka, database_url=state_url, derive="none")
create(kafka, "stream", groups=["bench"], replication=1)
state = State.open(state_url); state.migrate()
def height(n, value):
    record, child = blake2b(b"b%d" % n, digest_size=12).digest() + bytes(4), blake2b(b"s%d" % (n % 5000), digest_size=16).digest()
    content = (f'{{"type":"observation","id":"r-{record.hex()}","subject":"s-{child.hex()}","site":"north","code":"8302-2","codings":[{{"system":'
        f'"http://loinc.org","code":"8302-2","display":"Body height"}}],"status":"final","value":{value},"unit":"cm",'
        f'"effective":"2026-03-02T09:10:00Z","category":["vital-signs"]}}').encode()
    source = b'"source":[{"type":"Observation","ref":"h-%b","version":"3","updated":"2026-03-02T04:11:09Z"}],"mapping":"observation@1"'
    return Mapped(record, "observation", child, content, source % record[:12].hex().encode(), None)
def timed(what, work):
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    said[what] = (time.perf_counter() - clock, time.process_time() - cpu)
    peak[what] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
said, peak = {}, {}
for start in range(0, events, 20000):
    save(state, "north", [height(n, n % 200) for n in range(start, start + 20000)], [], datetime.now(UTC))
def publish():
    with publisher_of("north", settings, state.outbox) as publisher: publisher.publish()
timed("publish", publish)
def read(most):
    client = KafkaConsumer(bootstrap_servers=kafka.split(","), auto_offset_reset="earliest", max_poll_records=20000)
    parts = [TopicPartition("stream.outcome.v1", number) for number in client.partitions_for_topic("stream.outcome.v1")]
    client.assign(parts); found = []
    while len(found) < most:
        for some in client.poll(timeout_ms=500).values(): found += some
    client.close(); return found[:most]
few = read(events // 5)
def bare():
    producer = KafkaProducer(bootstrap_servers=kafka.split(","), acks="all", enable_idempotence=True, compression_type="lz4", linger_ms=20,
        batch_size=512 * 1024, max_request_size=4 * 1024 * 1024)
    for each in few: producer.send("stream.replay.bare", each.value, each.key, each.headers, partition=each.partition)
    producer.flush(); producer.close()
from mainstem.kafka.topics import create_replay
create_replay(kafka, "stream", "bare")
timed("bare", bare)
def by_librdkafka():
    from confluent_kafka import Producer
    producer = Producer({"bootstrap.servers": kafka, "acks": "all", "enable.idempotence": True, "compression.type": "lz4", "linger.ms": 20,
        "batch.size": 512 * 1024})
    for each in few:
        while True:
            try: producer.produce("stream.replay.bare", each.value, each.key, each.partition, headers=each.headers); break
            except BufferError: producer.poll(0.05)
    assert producer.flush(60) == 0
timed("librdkafka", by_librdkafka)
few = None
engine = create_engine(make_url(tables_url).set(drivername="postgresql+psycopg"))
with engine.begin() as db: db.execute(text("create table latest (record text primary key, value bytea, at double precision)"))
WRITE = ("insert into latest select r, v, extract(epoch from clock_timestamp()) from unnest(%b::text[], %b::bytea[]) u(r, v)"
    " on conflict (record) do update set value = excluded.value, at = excluded.at")  # psycopg writes lists thrice as fast in binary
def handler(db, events):
    last = dict(sorted({event.record_id: event.value for event in events}.items()))  # as the index has them
    with db.connection.cursor() as cursor: cursor.execute(WRITE, (list(last), list(last.values())))
def consumer(): return Consumer(kafka, network="stream", group="bench", engine=engine, handler=handler, share=False)
def consume():
    with consumer() as reading: reading.run_until_caught_up(timeout=600)
timed("kit", consume)
timed("reconcile", lambda: reconcile(state, settings, ["north"]))
timed("replay", lambda: replay(state, settings, "north"))
consume()
stop, took = threading.Event(), []
with consumer() as following:
    thread = threading.Thread(target=lambda: following.run(stop)); thread.start()
    with publisher_of("north", settings, state.outbox) as publisher:
        for n in range(changes):
            began = time.time(); save(state, "north", [height(n, 1000 + n)], [], datetime.now(UTC)); publisher.publish()
            record = f"r-{height(n, 0).id.hex()}"
            while True:
                with engine.connect() as db: at = db.execute(text("select at from latest where record = :r"), {"r": record}).scalar()
                if at > began: break
                time.sleep(0.01)
            took.append(at - began)
    stop.set(); thread.join()
print(json.dumps({"said": said, "peak": peak, "p95": statistics.quantiles(took, n=20)[-1]}))
"""
RATES = {
    "publish": ("publish", 1.0, ""),
    "kit": ("consumer kit into PostgreSQL", 1.0, "≥ 15,000"),
    "reconcile": ("reconcile", 1.0, "≥ 50,000"),
    "replay": ("replay", 1.0, ""),
}


def figures(bench: Bench) -> Iterator[Figure]:
    """Of this checkout alone."""
    now = bench.checkouts[0]
    support = Path(__file__).parents[2] / "support"
    state, tables = f"sqlite:///{bench.folder / 'stream.db'}", bench.postgres.create_database("stream")
    ran = now.python(SCRIPT, support, bench.kafka, state, tables, EVENTS, CHANGES)
    told = json.loads(ran.out.splitlines()[-1])
    for name, (what, share, asked) in RATES.items():
        clock, cpu = told["said"][name]
        note = f"peak {told['peak'][name]:,.0f} MiB"
        yield Figure(what, EVENTS * share / clock, "events/s", now.name, EVENTS * share / cpu, asked, note)
    bare, cpu = told["said"]["bare"]
    ours = told["said"]["publish"][0]
    note = f"bare kafka-python: {EVENTS / 5 / bare:,.0f} events/s, {EVENTS / 5 / cpu:,.0f} by CPU"
    yield Figure("publish beside a bare producer", (bare * 5) / ours, "times", now.name, None, "≥ 0.9", note)
    native, cpu = told["said"]["librdkafka"]
    note = f"librdkafka: {EVENTS / 5 / native:,.0f} events/s, {EVENTS / 5 / cpu:,.0f} by CPU"
    yield Figure("publish beside librdkafka", (native * 5) / ours, "times", now.name, None, "", note)
    what = "one change from save to a consumer's row, p95"
    yield Figure(what, told["p95"], "s", now.name, None, "≤ 2 s", "", lower_is_better=True)
