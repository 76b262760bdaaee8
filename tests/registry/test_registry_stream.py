"""The registry on a real broker and PostgreSQL: the stream's state, once, whatever comes twice or late."""

import threading
from pathlib import Path
from random import Random

import pytest
from kafka import KafkaProducer
from services_cases import event_of, load_record, record_id, subject_id
from services_story import load_events
from sqlalchemy import Engine, select
from streams import of_network
from waiting import wait_until

from mainstem.consumer import Consumer, Received
from mainstem.kafka import topics
from mainstem.kafka.settings import KafkaSettings, as_settings
from schemas.events import outcome_topic
from schemas.loads import LoadEvent
from schemas.outcomes import Condition, Observation
from services.registry.completeness import completeness
from services.registry.database import connect, open_registry
from services.registry.handler import apply, apply_loads, clear
from services.registry.running import catch_up, run
from services.registry.tables import RECORD_TABLES, history


def bmi(name: str, value: float) -> Observation:
    """A BMI percentile."""
    content = {"id": record_id(name), "subject": subject_id("ada"), "site": "north", "code": "59576-9", "value": value}
    return Observation.model_validate(content)


def illness(name: str) -> Condition:
    """A diagnosis."""
    content = {"id": record_id(name), "subject": subject_id("bea"), "site": "north", "code": "190905008"}
    return Condition.model_validate(content)


def send(broker: str, network: str, events: list[Received], loads: list[LoadEvent]) -> None:
    """Puts events on the network's topics, as they are."""
    producer = KafkaProducer(bootstrap_servers=broker, acks="all")
    topic = outcome_topic(network)
    sent = [producer.send(topic, e.value, e.key, of_network(network, e.source.headers)) for e in events]
    told = [load_record(load, network) for load in loads]
    sent += [producer.send(each.topic, each.value, each.key, each.headers) for each in told]
    for future in sent:
        future.get(timeout=60)
    producer.close()


def state(engine: Engine) -> dict[str, tuple[float, int]]:
    """Value and sequence of every current observation."""
    table = RECORD_TABLES["observation"]
    with engine.connect() as connection:
        rows = connection.execute(select(table.c.id, table.c.value, table.c.sequence))
        return {row.id: (float(row.value), row.sequence) for row in rows}


@pytest.mark.timeout(120)
def test_stream_with_duplicates_and_late_events_gives_the_right_registry(
    broker: str, network: str, postgres_url: str
) -> None:
    """Recorded, amended, withdrawn; then the same again and older ones late: the same registry."""
    topics.create(broker, network, groups=["registry"], partitions=2, replication=1, min_in_sync=1)
    first, second = event_of(bmi("a", 40)), event_of(bmi("a", 60), sequence=2)
    kept, gone = event_of(bmi("b", 50)), event_of(bmi("b", 50), sequence=2, withdrawn=True)
    send(broker, network, [first, kept, second, gone], load_events())
    settings = as_settings(broker)
    catch_up(settings, network, postgres_url)
    engine = connect(postgres_url)
    expected = {record_id("a"): (60.0, 2)}
    assert state(engine) == expected
    send(broker, network, [first, kept, second], [])
    catch_up(settings, network, postgres_url)
    assert state(engine) == expected
    with engine.connect() as connection:
        assert len(connection.execute(select(history)).all()) == 4
        assert [site.site for site in completeness(connection)] == ["lake-county", "lakeside", "northside", "west"]
    engine.dispose()


def test_running_registry_tells_the_operator_what_it_cannot_read(stream, outbox, observe, tmp_path):
    """Events of a type that this version does not know: kept, and told in the line on the terminal."""
    observe(outbox, 1)
    stream.publish(outbox)
    said: list[str] = []
    stop = threading.Event()
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    running = threading.Thread(
        target=run, args=(KafkaSettings(stream.bootstrap), stream.network, url, stop), kwargs={"say": said.append}
    )
    running.start()
    try:
        wait_until(lambda: any("caught up" in line for line in said))
        assert "kept unread" not in said[-1]
        (event,) = stream.records()
        headers = [(name, text.replace(b"observation", b"genome")) for name, text in event.headers]
        stream.send(event.value.replace(b'"observation"', b'"genome"'), key=event.key, headers=headers)
        wait_until(lambda: "kept unread" in said[-1])
    finally:
        stop.set()
        running.join(60)
    assert "1 event since the start; kept unread, of types this version does not know: genome 1 (a newer" in said[-2]
    assert said[-1].startswith("Registry: stopped: 1 event handled; kept unread")


def holdings(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Every row of the current state and of the history, but when it arrived here."""
    engine = connect(url)
    with engine.connect() as connection:
        found = {
            table.name: sorted(
                map(tuple, connection.execute(select(*(c for c in table.c if c.name != "arrived")))), key=repr
            )
            for table in (*RECORD_TABLES.values(), history)
        }
    engine.dispose()
    return found


def chances(seed: int) -> list[list[Received]]:
    """Nights of a made-up history: results and diagnoses recorded, amended, withdrawn and recorded again; some twice, some late."""
    chance, sequences = Random(seed), dict[str, int]()
    nights: list[list[Received]] = []
    for _ in range(4):
        night: list[Received] = []
        for _ in range(25):
            name = f"{chance.choice(('o', 'c'))}{chance.randrange(12)}"
            sequences[name] = sequence = sequences.get(name, 0) + 1
            model = bmi(name, chance.randrange(100)) if name[0] == "o" else illness(name)
            night.append(event_of(model, sequence=sequence, withdrawn=sequence > 1 and chance.random() < 0.3))
        late = [chance.choice(chance.choice([*nights, night])) for _ in range(8)]
        nights.append([*night, *late])
    return nights


@pytest.mark.slow
def test_registry_made_from_the_topic_alone_is_the_live_one(broker: str, network: str, tmp_path: Path) -> None:
    """The live one read night by night what the broker had by then; the other reads the whole topic, once, from its start."""
    topics.create(broker, network, partitions=2, replication=1, min_in_sync=1)
    live, anew = (f"sqlite:///{tmp_path / name}.db" for name in ("live", "anew"))
    for group, url, nights in (("live", live, chances(1)), ("anew", anew, [[]])):
        engine = open_registry(url)
        with Consumer(
            broker, network=network, group=group, engine=engine, handler=apply, load_handler=apply_loads
        ) as consumer:
            for number, night in enumerate(nights):
                send(broker, network, night, load_events() if night and not number else [])
                consumer.run_until_caught_up()
        engine.dispose()
    assert holdings(anew) == holdings(live)
    assert all(holdings(live)[name] for name in ("observation", "condition", "history"))


def test_rebuilt_registry_is_the_one_that_was(stream, outbox, observe, tmp_path):
    """Emptied of what does not belong there, and filled again from the stream; what happened stays in its history."""
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    for number in range(3):
        observe(outbox, number)
    stream.publish(outbox)
    engine = open_registry(url)
    with stream.consumer(engine, apply, load_handler=apply_loads, clear=clear) as consumer:
        consumer.run_until_caught_up()
        before = state(engine)
        with engine.begin() as db:
            db.execute(RECORD_TABLES["observation"].update().values(value=99))
        consumer.rebuild()
        assert state(engine) == {}
        assert consumer.run_until_caught_up() == 3
    assert state(engine) == before
    with engine.connect() as db:
        assert len(db.execute(select(history)).all()) == 3
    engine.dispose()
