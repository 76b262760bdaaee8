"""The feedback consumer beside the registry's: what the registry's intake loses by it, and that what it holds does not grow with the events."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench import Bench
from figure import Figure

FEW, MANY = 20_000, 60_000
"""Fewer than fill both what is handled and what is read ahead would grow by that alone."""
COMMON = """
import sys; sys.path.insert(0, sys.argv.pop(1))
import json, resource, threading, time
from sqlalchemy import select, func
from mainstem.kafka.settings import as_settings
from mainstem.kafka.topics import create
kafka, network, url, number = *sys.argv[1:4], int(sys.argv[4])
settings, LONGEST = as_settings(kafka), 1800
"""
SENDS = """
from kafka import KafkaProducer
from services_cases import event_of, record_id, subject_id
from schemas.events import outcome_topic
from schemas.outcomes import Observation
create(settings, network, replication=1)
producer = KafkaProducer(bootstrap_servers=kafka, acks="all", linger_ms=20)
day = {"effective": "2026-03-02T09:10:00Z", "effective_date": "2026-03-02"}
test = day | {"code": "4548-4", "value": 7.1, "unit": "%", "codings": [{"system": "http://loinc.org", "code": "4548-4"}]}
for n in range(number):
    names = {"id": record_id(f"o{n}"), "subject": subject_id(f"s{n % 500}"), "site": "north"}
    event = event_of(Observation.model_validate(names | test), network=network)
    producer.send(outcome_topic(network), event.value, event.key, event.source.headers)
producer.flush(); producer.close()
"""
KEEPS = """
from services.registry.running import catch_up
from services.registry.database import connect
from services.registry.tables import RECORD_TABLES
clock, cpu = time.perf_counter(), time.process_time()
catch_up(settings, network, url, timeout=LONGEST)
took = time.perf_counter() - clock, time.process_time() - cpu
with connect(url).connect() as connection:
    held = connection.scalar(select(func.count()).select_from(RECORD_TABLES["observation"]))
assert held == number, f"{held:,} of {number:,} events were kept: the others were set aside"
print(json.dumps(took))
"""
MEASURES = """
from mainstem.consumer.ledger import consumer_offset
from services.measures.evaluate.periods import periods
from services.measures.keeping.plans import network_plan
from services.measures.keeping.running import GROUP, run
from services.measures.keeping.tables import due
from services.measures.library import measures
from services.registry.database import connect
from services.registry.erasure import GROUP as REGISTRY
stop, engine = threading.Event(), connect(url)
read = func.coalesce(func.sum(consumer_offset.c.next_offset), 0)
def ended(connection, group):
    return connection.scalar(select(read).where(consumer_offset.c.consumer_group == group)) >= number
def watch():
    given_up = time.monotonic() + LONGEST
    while not stop.wait(0.5) and time.monotonic() < given_up:
        with engine.connect() as connection:
            both = all(ended(connection, group) for group in (GROUP, REGISTRY))
            if both and not connection.scalar(select(func.count()).select_from(due)): stop.set()
    stop.set()
threading.Thread(target=watch, daemon=True).start()
cpu = time.process_time()
run(settings, network, url, network_plan(measures().values(), periods("month", "2025-12", "2026-11-30")), lambda keeper: None, stop=stop)
print(json.dumps((time.process_time() - cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)))
"""
OPENS = """
from services.measures.keeping.keeper import Keeper
from services.measures.keeping.standing import NOTHING
from services.registry.database import open_registry
engine = open_registry(url); Keeper(engine, NOTHING).prepare(); engine.dispose()
"""


def figures(bench: Bench) -> Iterator[Figure]:
    """Of this checkout alone, on PostgreSQL; by the clock and by the registry's own processor time."""
    now = bench.checkouts[0]
    support = Path(__file__).parents[2] / "support"

    def run(script: str, name: str, number: int, url: str) -> Any:
        out = now.python(COMMON + script, support, bench.kafka, name, url, number).out
        return json.loads(out.splitlines()[-1]) if out.strip() else None

    def intake(name: str, number: int, *, beside: bool) -> tuple[list[float], list[float]]:
        bench.say(f"{number:,} events, the feedback consumer {'beside' if beside else 'away'}")
        url = bench.postgres.create_database(f"beside_{name}")
        run(SENDS, name, number, url)
        run(OPENS, name, number, url)
        with ThreadPoolExecutor(1) as other:
            measuring = other.submit(run, MEASURES, name, number, url) if beside else None
            kept = run(KEEPS, name, number, url)
            return kept, measuring.result() if measuring else []

    alone, _ = intake("alone", FEW, beside=False)
    together, few = intake("together", FEW, beside=True)
    _, many = intake("many", MANY, beside=True)
    note = f"{FEW:,} events; {os.cpu_count()} cores for registry, feedback ({few[0]:.0f} s of the processor), PostgreSQL and broker"
    what = "registry's intake with the feedback consumer beside it"
    yield Figure(what, alone[0] / together[0], "of alone", now.name, alone[1] / together[1], "≥ 0.95", note)
    note = f"{few[1]:,.0f} MiB at most with {FEW:,} events, {many[1]:,.0f} with {MANY:,}"
    grown = many[1] - few[1]
    yield Figure(
        "feedback consumer: memory grown", grown, "MiB", now.name, asked="flat", note=note, lower_is_better=True
    )
