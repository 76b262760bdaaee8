"""Partitions come and go at any moment, told on a thread of the client's: the polling thread is never disturbed, and no event is lost."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from kafka import TopicPartition
from kafka.errors import IllegalStateError

from mainstem.consumer.ledger import Ledger, StaleError
from mainstem.consumer.places import Places, Rebalances

P0, P1 = TopicPartition("lhn.outcome.v1", 0), TopicPartition("lhn.outcome.v1", 1)


class Record:
    """A Kafka record's place."""

    def __init__(self, offset: int) -> None:
        self.offset = offset


class Client:
    """Kafka's client as Places uses it; `at(moment, what)` does something on another thread in the middle of a call."""

    def __init__(self, *assigned: TopicPartition) -> None:
        self.assigned = set(assigned)
        self.sought: list[tuple[TopicPartition, int]] = []
        self.watermark = 100
        self._at = {}

    def at(self, moment: str, what) -> None:
        self._at[moment] = what

    def _reach(self, moment: str) -> None:
        if what := self._at.pop(moment, None):
            other = threading.Thread(target=what)
            other.start()
            other.join()

    def assignment(self):
        found = set(self.assigned)
        self._reach("after assignment")
        return found

    def beginning_offsets(self, partitions):
        self._reach("offsets")
        return dict.fromkeys(partitions, 0)

    def end_offsets(self, partitions):
        return dict.fromkeys(partitions, 100)

    def seek(self, partition, offset):
        if partition not in self.assigned:
            raise ValueError("Unassigned partition")
        self.sought.append((partition, offset))

    def seek_to_beginning(self, partition):
        self.seek(partition, 0)

    def highwater(self, partition):
        self._reach("highwater")
        if partition not in self.assigned:
            raise IllegalStateError("Partition is not assigned")
        return self.watermark


@pytest.fixture
def ledger(sqlite_engine):
    ledger = Ledger(sqlite_engine, "test")
    ledger.create_tables()
    return ledger


def settled(client, ledger) -> tuple[Places, Rebalances]:
    """Places that know where they are in each partition of the client's."""
    rebalances = Rebalances()
    places = Places(client, ledger, rebalances)
    places.admit({})
    return places, rebalances


def test_partition_taken_while_its_events_are_handled_does_not_disturb_the_handling(ledger):
    """The worst moment: the listener runs between the poll and the look at the place. It was a KeyError that ended the consumer."""
    client = Client(P0, P1)
    places, rebalances = settled(client, ledger)
    polled = places.admit({P0: [Record(0), Record(1)]})

    def take_everything():
        client.assigned.clear()
        rebalances.on_partitions_revoked([P0, P1])

    other = threading.Thread(target=take_everything)
    other.start()
    other.join()

    moves = places.moves(polled)
    assert moves == {P0: (0, 2)}
    with ledger.transaction(moves):
        pass
    places.moved(moves)
    assert places.admit({P0: [Record(2)]}) == {}
    assert places.offsets() == {}


def test_partition_that_went_and_came_back_is_read_from_the_database(ledger):
    """Another member may have moved on in between: what was fetched from where we were is not handled."""
    client = Client(P0)
    places, rebalances = settled(client, ledger)
    with ledger.transaction({P0: (0, 40)}):
        pass  # another member of the group
    rebalances.on_partitions_revoked([P0])
    rebalances.on_partitions_assigned([P0])

    assert places.admit({P0: [Record(0)]}) == {}
    assert client.sought == [(P0, 0), (P0, 40)]
    assert places.admit({P0: [Record(40)]}).keys() == {P0}


@pytest.mark.parametrize("moment", ["after assignment", "offsets"])
def test_partition_taken_while_its_place_is_looked_up_is_left_alone(ledger, moment):
    """Between the question and the answer it was taken: seeking it raised ValueError, which ended the consumer."""
    client = Client(P0, P1)
    rebalances = Rebalances()
    places = Places(client, ledger, rebalances)

    def take_one():
        client.assigned.discard(P1)
        rebalances.on_partitions_revoked([P1])

    client.at(moment, take_one)
    places.admit({})

    assert places.offsets() == {P0: 0}
    assert places.admit({P0: [Record(0)], P1: [Record(0)]}).keys() == {P0}


def test_partition_taken_while_its_end_is_doubted_is_left_alone(ledger):
    """A topic made anew, and the partition goes while we ask for its end."""
    client = Client(P0)
    ledger.offsets({P0: 500})
    client.at("highwater", client.assigned.clear)
    places, _ = settled(client, ledger)
    assert not places.settled
    places.admit({})
    assert places.settled


def test_notes_taken_by_one_thread_while_another_writes_are_all_read(ledger):
    """Every note is read once, however the threads interleave."""
    rebalances, seen = Rebalances(), set()
    partitions = [TopicPartition("lhn.outcome.v1", number) for number in range(5000)]
    writer = threading.Thread(target=lambda: [rebalances.on_partitions_revoked([p]) for p in partitions])
    writer.start()
    while writer.is_alive():
        taken = rebalances.take()
        assert not taken & seen
        seen |= taken
    assert seen | rebalances.take() == set(partitions)


def test_member_that_lost_its_partition_is_refused(ledger):
    """Its transaction finds another place than it began from, and leaves nothing."""
    ledger.offsets({P0: 0})
    with ledger.transaction({P0: (0, 5)}):
        pass
    with pytest.raises(StaleError), ledger.transaction({P0: (0, 3)}):
        pytest.fail("a stale consumer got its transaction")
    assert ledger.stored() == {P0: 5}


@pytest.mark.kafka
@pytest.mark.timeout(240)
@pytest.mark.slow
def test_members_joining_and_leaving_all_the_time_leave_no_gap(kafka_stream, outbox, fill, latest_of, postgres_engine):
    """One member stays, others come and go while events flow; every event has its effect once, and no member fails."""
    latest = latest_of(postgres_engine)
    fill(outbox, 1500, subjects=150)
    kafka_stream.publish(outbox)
    stop = threading.Event()
    # The last: as long the broker waits for a member that left while joining, which the default makes five minutes.
    options = {"share": True, "poll_records": 10, "max_poll_interval_ms": 20_000}

    def stay() -> None:
        with kafka_stream.consumer(postgres_engine, latest, **options) as staying:
            staying.run(stop, idle=0.05)

    with ThreadPoolExecutor(1) as others:
        staying = others.submit(stay)
        try:
            for _ in range(4):
                with kafka_stream.consumer(postgres_engine, latest, **options) as passing:
                    for _ in range(8):
                        passing._step(0.3)
            with kafka_stream.consumer(postgres_engine, latest, **options) as last:
                last.run_until_caught_up(timeout=90)
        finally:
            stop.set()
        staying.result(60)
    assert len(latest.effects()) == len(set(latest.effects())) == 1500
