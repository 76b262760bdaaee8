"""Events that the consumer's handler cannot use: put aside, the rest handled; the time must grow with their number alone."""

from collections.abc import Iterator

from bench import Bench
from checkouts import Checkout
from figure import Figure
from measuring import Ran

EVENTS = 1_600
CONSUMING = """
import sys, time
import structlog
from kafka import KafkaProducer
from sqlalchemy import create_engine
from mainstem.consumer import Consumer
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))  # no log of each dead letter
from mainstem.consumer import PoisonError
bootstrap, network, database, count, way = sys.argv[1:]

def as_it_meets_them(connection, events):
    for event in events:
        event.outcome

def all_at_once(connection, events):
    unusable = []
    for event in events:
        try:
            event.outcome
        except PoisonError as exc:
            unusable.append((event, exc.reason))
    if unusable:
        raise PoisonError.of(unusable) if hasattr(PoisonError, "of") else PoisonError(*unusable[0])

headers = {
    "ce_specversion": b"1.0", "ce_source": b"/site/north", "ce_type": f"{network}.outcome.recorded.v1".encode(),
    "ce_time": b"2026-03-02T05:00:00Z", "ce_dataschema": b"/schemas/observation.v1.json", "ce_sequence": b"1.1",
    "content-type": b"application/json",
}
engine = create_engine(f"sqlite:///{database}")
with Consumer(bootstrap, network=network, group="bench", engine=engine, handler=globals()[way], share=False) as consumer:
    consumer.run_until_caught_up()
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for number in range(int(count)):
        record = f"r-{number:032x}".encode()
        own = {"ce_id": f"00000000-0000-5000-8000-{number:012x}".encode(), "ce_subject": record}
        content = b'{"type":"observation","id":"%b","subject":"s-%b","site":"north","value":"seven"}' % (record, b"a" * 32)
        value = b'{"record":%b,"change":{"op":"recorded","sequence":1},"provenance":{"site":"north"}}' % content
        producer.send(f"{network}.outcome.v1", key=b"s-" + b"a" * 32 + b"/" + record, value=value, headers=[*headers.items(), *own.items()])
    producer.flush()
    producer.close()
    began = time.perf_counter()
    consumer.run_until_caught_up()
    print(time.perf_counter() - began)
"""


WAYS = {"as_it_meets_them": "raised for each", "all_at_once": "named at once"}


def figures(bench: Bench) -> Iterator[Figure]:
    """Seconds until all are put aside, for both ways in which a handler says so."""
    made: list[str] = []
    for way, words in WAYS.items():

        def consume(checkout: Checkout, way: str = way) -> Ran:
            made.append(network := f"unusable-{checkout.name}-{len(made)}")
            reach = {"MAINSTEM_KAFKA": bench.tansu, "MAINSTEM_NETWORK": network}
            checkout.mainstem("topics", "create", "--replication", "1", **reach)
            ran = checkout.python(CONSUMING, bench.tansu, network, bench.folder / f"{network}.db", EVENTS, way)
            return Ran(float(ran.out), ran.cpu, ran.mebibytes, ran.out)

        for checkout, ran in bench.in_turns(1, consume):
            what = f"{EVENTS:,} unusable events, {words}"
            yield Figure(what, ran.seconds, "s", checkout.name, None, "≤ 0.5 s", lower_is_better=True)
