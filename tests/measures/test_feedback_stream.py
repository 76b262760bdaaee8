"""Results on a real broker: the registry and the feedback service read apart, results come back on the feedback topic, a rebuild agrees."""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import KafkaProducer
from kept_results import NOW, PLAN, WHOLE, Network, diabetes, person, reading, visit
from services_cases import load_record
from sqlalchemy import select
from streams import of_network
from waiting import wait_until

from mainstem.centre import SITE, Results
from mainstem.consumer import Consumer, Received
from mainstem.demo.embedded import Tansu
from mainstem.kafka import topics
from mainstem.kafka.settings import as_settings
from mainstem.kafka.topics import require_topics
from mainstem.publisher import Publisher
from schemas.events import Header, feedback_topic, outcome_topic
from schemas.feedback import ALL_SITES, FeedbackEvent
from schemas.loads import LoadEvent, LoadEventType
from services.measures.keeping.keeper import Keeper
from services.measures.keeping.noting import note_events, note_loads
from services.measures.keeping.running import GROUP as FEEDBACK
from services.measures.keeping.running import catch_up, run
from services.measures.keeping.tables import result, standing
from services.registry.database import connect, open_registry
from services.registry.handler import apply, apply_loads, keep_late
from services.registry.running import GROUP
from services.registry.running import catch_up as registry_catches_up


def put(stream: Any, *events: Received) -> None:
    """On the network's topics, with a load that is whole."""
    load = LoadEvent(
        load="north/1", site="north", event=LoadEventType.COMPLETED, mode="full", started=NOW, watermarks=WHOLE
    )
    producer = KafkaProducer(bootstrap_servers=stream.bootstrap, acks="all")
    outcomes = outcome_topic(stream.network)
    sent = [producer.send(outcomes, e.value, e.key, of_network(stream.network, e.source.headers)) for e in events]
    told = load_record(load, stream.network)
    sent.append(producer.send(told.topic, told.value, told.key, told.headers))
    for future in sent:
        future.get(timeout=60)
    producer.close()


def made_anew(stream: Any, url: str) -> None:
    """A registry and its results from the topics alone, whatever Kafka remembers of the groups."""
    engine = open_registry(url)
    keeper = Keeper(engine, PLAN)
    keeper.prepare()
    whole = {"network": stream.network, "engine": engine, "share": False}
    for handlers in (
        {"group": GROUP, "handler": apply, "load_handler": apply_loads, "late_handler": keep_late},
        {"group": FEEDBACK, "handler": note_events, "load_handler": note_loads},
    ):
        with Consumer(stream.bootstrap, **whole, **handlers) as consumer:
            consumer.run_until_caught_up()
    keeper.work_off()
    engine.dispose()


def kept(url: str) -> tuple[set[Any], set[Any]]:
    engine = connect(url)
    with engine.connect() as connection:
        rows = {tuple(row) for row in connection.execute(select(standing))}
        contents = {(row.content, row.sequence, row.told == row.number) for row in connection.execute(select(result))}
    engine.dispose()
    return rows, contents


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_results_come_back_by_the_stream_and_a_rebuild_from_the_topic_alone_agrees(stream: Any, tmp_path: Path) -> None:
    """Ada and Bea; Bea is tested; the database is thrown away, and made again from the topics."""
    kafka, url = as_settings(stream.bootstrap), f"sqlite:///{tmp_path / 'registry.db'}"
    require_topics(kafka, stream.network, [feedback_topic(stream.network)])

    def send(keeper: Keeper) -> None:
        store = Results(keeper)
        with Publisher(stream.bootstrap, network=stream.network, store=store, site=SITE, software="0.1.0") as publisher:
            publisher.publish()

    def night(at: str) -> None:
        registry_catches_up(kafka, stream.network, at)
        catch_up(kafka, stream.network, at, PLAN, send)

    story = Network(open_registry(f"sqlite:///{tmp_path / 'story.db'}"))
    put(stream, *(story.event(of(name)) for name in ("ada", "bea") for of in (person, visit, diabetes)))
    night(url)
    put(stream, story.event(reading("bea", 7)))
    night(url)
    night(url)
    found = stream.records("feedback.v1")
    told = [FeedbackEvent.model_validate_json(record.value) for record in found if record.key == b"north"]
    assert [(each.sequence, each.populations and each.populations["numerator"]) for each in told] == [(1, 2), (2, 1)]
    assert {record.key for record in found} == {b"north", ALL_SITES.encode()}
    headers = dict(found[0].headers)
    assert headers[Header.TYPE].decode() == f"{stream.network}.feedback.measured.v1"
    assert headers[Header.SOURCE] == b"/site/centre"
    assert len({dict(record.headers)[Header.ID] for record in found}) == len(found) == 4
    anew = f"sqlite:///{tmp_path / 'anew.db'}"
    made_anew(stream, anew)
    assert kept(anew)[0] == kept(url)[0]
    assert {content for content, _, _ in kept(anew)[1]} == {content for content, _, _ in kept(url)[1]}
    story.engine.dispose()


@pytest.fixture
def own_stream(parts_folder: Path, network: str) -> Iterator[SimpleNamespace]:
    """A network on a broker of its own: group `registry` has no member that another test left behind."""
    with Tansu(parts_folder / "own-tansu") as broker:
        topics.create(broker.bootstrap, network, replication=1)
        yield SimpleNamespace(bootstrap=broker.bootstrap, network=network)


@pytest.mark.timeout(300)
def test_a_running_service_follows_and_ends_in_order(own_stream: SimpleNamespace, tmp_path: Path) -> None:
    """It waits for the registry, tells what became another, and stops when it is asked to."""
    stream = own_stream
    kafka, url = as_settings(stream.bootstrap), f"sqlite:///{tmp_path / 'registry.db'}"
    story = Network(open_registry(f"sqlite:///{tmp_path / 'story.db'}"))
    open_registry(url).dispose()
    stop, told = threading.Event(), list[str]()

    def send(keeper: Keeper) -> None:
        for each in keeper.waiting(10):
            told.append(each.name)
            keeper.sent([each.number])

    running = threading.Thread(target=run, args=(kafka, stream.network, url, PLAN, send), kwargs={"stop": stop})
    running.start()
    try:
        put(stream, *(story.event(of("ada")) for of in (person, visit, diabetes)))
        registry_catches_up(kafka, stream.network, url)
        wait_until(lambda: set(told) == {f"CMS122/2026/2026/1/{site}/1" for site in ("north", ALL_SITES)}, 120)
    finally:
        stop.set()
        running.join(60)
    assert not running.is_alive()
    story.engine.dispose()
