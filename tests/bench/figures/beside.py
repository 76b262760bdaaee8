"""The feedback consumer beside the registry's: what the registry's intake loses by it, and whether what it holds grows with the events."""

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
ROUNDS = 2
KEPT, FLAT = 0.95, 1.1
"""What of the intake is asked for beside the other, by the registry's own processor time; and so many times the memory is flat."""
COMMON = """
import sys; sys.path.insert(0, sys.argv.pop(1))
import json, resource, threading, time
from pathlib import Path
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
stop, given_up, engine = threading.Event(), threading.Event(), connect(url)
over = Path(sys.argv[5])
read = func.coalesce(func.sum(consumer_offset.c.next_offset), 0)
def ended(connection, group):
    return connection.scalar(select(read).where(consumer_offset.c.consumer_group == group)) >= number
def watch():
    until = time.monotonic() + LONGEST
    while not stop.wait(0.5):
        with engine.connect() as connection:
            both = all(ended(connection, group) for group in (GROUP, REGISTRY))
            if both and not connection.scalar(select(func.count()).select_from(due)): stop.set()
        if over.exists() or time.monotonic() > until: given_up.set(); stop.set()
threading.Thread(target=watch, daemon=True).start()
cpu = time.process_time()
run(settings, network, url, network_plan(measures().values(), periods("month", "2025-12", "2026-11-30")), lambda keeper: None, stop=stop)
assert not given_up.is_set(), "the registry or the feedback consumer did not come to the end"
print(json.dumps((time.process_time() - cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)))
"""
OPENS = """
from services.measures.keeping.keeper import Keeper
from services.measures.keeping.standing import NOTHING
from services.registry.database import open_registry
engine = open_registry(url); Keeper(engine, NOTHING).prepare(); engine.dispose()
"""


def figures(bench: Bench) -> Iterator[Figure]:
    """Of this checkout alone, on PostgreSQL; judged by the registry's own processor time, since both share the machine's cores."""
    now = bench.checkouts[0]
    support = Path(__file__).parents[2] / "support"

    def run(script: str, name: str, number: int, url: str, *more: object) -> Any:
        out = now.python(COMMON + script, support, bench.kafka, name, url, number, *more).out
        return json.loads(out.splitlines()[-1]) if out.strip() else None

    def intake(name: str, number: int, *, beside: bool) -> tuple[list[float], list[float]]:
        bench.say(f"{name}: {number:,} events, the feedback consumer {'beside' if beside else 'away'}")
        url = bench.postgres.create_database(f"beside_{name}")
        run(SENDS, name, number, url)
        run(OPENS, name, number, url)
        over = bench.folder / f"{name}.over"
        with ThreadPoolExecutor(1) as other:
            measuring = other.submit(run, MEASURES, name, number, url, over) if beside else None
            try:
                kept = run(KEEPS, name, number, url)
            except SystemExit:
                over.touch()
                raise
            return kept, measuring.result() if measuring else []

    alone, together, few = [], [], []
    for number in range(ROUNDS):
        for beside in (False, True) if number % 2 == 0 else (True, False):
            kept, measured = intake(f"{'together' if beside else 'alone'}{number}", FEW, beside=beside)
            (together if beside else alone).append(kept)
            few += [measured] if beside else []
    _, many = intake("many", MANY, beside=True)
    clock, cpu = (min(each[place] for each in alone) / min(each[place] for each in together) for place in (0, 1))
    took, held = min(each[0] for each in few), max(each[1] for each in few)
    note = (
        f"the least of {ROUNDS} runs each; {clock:.2f} by the clock; {FEW:,} events, {os.cpu_count()} cores for registry, "
        f"feedback ({took:.0f} s of the processor), PostgreSQL and broker"
    )
    what = "registry's intake beside the feedback consumer, by its own processor time"
    yield Figure(what, cpu, "of alone", now.name, asked=f"≥ {KEPT}", note=note, holds=cpu >= KEPT)
    note = f"{many[1] / held:.2f} times the {held:,.0f} MiB with {FEW:,} events"
    what, asked, flat = (
        f"feedback consumer: peak memory, {MANY:,} events",
        f"flat: ≤ {FLAT} times",
        many[1] <= FLAT * held,
    )
    yield Figure(what, many[1], "MiB", now.name, asked=asked, note=note, lower_is_better=True, holds=flat)
