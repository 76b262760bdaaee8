"""A million events, a process each for whoever publishes, consumes, compares: how fast, and that what they hold does not grow with them."""

import json
from collections.abc import Iterator
from pathlib import Path

from bench import Bench
from figure import Figure

EVENTS = 1_000_000
FEW = EVENTS // 5
"""The most that is held up to here is compared with the most that is held afterwards."""
COMMON = """
import sys; sys.path.insert(0, sys.argv.pop(1))
import json, time
from datetime import UTC, datetime
from hashlib import blake2b
from sqlalchemy import create_engine, make_url, text
from states import save
from mainstem.config.settings import Settings
from mainstem.consumer import Consumer
from mainstem.kafka.topics import create
from mainstem.mending.reconcile import reconcile
from mainstem.publisher import publisher_of
from mainstem.state import State
from transforms.mapped import Mapped
kafka, state_url, tables_url, events, few = *sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5])
settings = Settings(network="million", kafka=kafka, database_url=state_url, derive="none")
state = State.open(state_url); state.migrate()
held = {}
class Watch:
    done = 0
    def __call__(self, more):
        self.done += more
        with open("/proc/self/statm") as found: now = int(found.read().split()[1]) * 4096 / 2**20
        name = "few" if self.done <= few else "most"
        held[name] = max(held.get(name, 0), now)
watch = Watch()
clock, cpu = time.perf_counter(), time.process_time()
def end(): print(json.dumps(held | {"clock": time.perf_counter() - clock, "cpu": time.process_time() - cpu, "done": watch.done}))
"""
FILL = """
create(kafka, "million", groups=["bench"], replication=1)
def height(n):
    record, child = blake2b(b"b%d" % n, digest_size=12).digest() + bytes(4), blake2b(b"s%d" % (n % 20000), digest_size=16).digest()
    content = (f'{{"type":"observation","id":"r-{record.hex()}","subject":"s-{child.hex()}","site":"north","code":"8302-2","codings":[{{"system":'
        f'"http://loinc.org","code":"8302-2","display":"Body height"}}],"status":"final","value":{n % 200},"unit":"cm",'
        f'"effective":"2026-03-02T09:10:00Z","category":["vital-signs"]}}').encode()
    source = b'"source":[{"type":"Observation","ref":"h-%b","version":"3"}],"mapping":"observation@1"' % record[:12].hex().encode()
    return Mapped(record, "observation", child, content, source, None)
for start in range(0, events, 20000):
    save(state, "north", [height(n) for n in range(start, start + 20000)], [], datetime.now(UTC)); watch(20000)
end()
"""
PUBLISH = """
with publisher_of("north", settings, state.outbox, progress=watch) as publisher: publisher.publish()
end()
"""
CONSUME = """
engine = create_engine(make_url(tables_url).set(drivername="postgresql+psycopg"))
with engine.begin() as db: db.execute(text("create table latest (record text primary key, value bytea)"))
WRITE = ("insert into latest select r, v from unnest(%b::text[], %b::bytea[]) u(r, v)"
    " on conflict (record) do update set value = excluded.value")  # psycopg writes lists thrice as fast in binary
def handler(db, found):
    last = dict(sorted({event.record_id: event.value for event in found}.items()))  # as the index has them
    with db.connection.cursor() as cursor: cursor.execute(WRITE, (list(last), list(last.values())))
    watch(len(found))
with Consumer(kafka, network="million", group="bench", engine=engine, handler=handler, share=False) as reading:
    reading.run_until_caught_up(timeout=900)
end()
"""
COMPARE = """
[found] = reconcile(state, settings, ["north"], progress=watch)
assert found.records == events and not found.differences, found
end()
"""
STEPS = {
    "a million published": (PUBLISH, ""),
    "a million consumed into PostgreSQL": (CONSUME, "≥ 15,000"),
    "a million compared by reconcile": (COMPARE, "≥ 50,000"),
}


def figures(bench: Bench) -> Iterator[Figure]:
    """Of this checkout alone."""
    now = bench.checkouts[0]
    support = Path(__file__).parents[2] / "support"
    places = bench.kafka, f"sqlite:///{bench.folder / 'million.db'}", bench.postgres.create_database("million")

    def run(script: str) -> dict[str, float]:
        ran = now.python(COMMON + script, support, *places, EVENTS, FEW)
        return dict(json.loads(ran.out.splitlines()[-1]))

    bench.say(f"storing {EVENTS:,} records")
    run(FILL)
    for what, (script, asked) in STEPS.items():
        bench.say(what)
        told = run(script)
        assert told["done"] == EVENTS, told
        note = f"{told['few']:,.0f} MiB at most up to {FEW:,} events, {told['most']:,.0f} afterwards"
        yield Figure(what, EVENTS / told["clock"], "events/s", now.name, EVENTS / told["cpu"], asked, note)
        grown = told["most"] - told["few"]
        yield Figure(f"{what}: memory grown", grown, "MiB", now.name, asked="flat", lower_is_better=True)
