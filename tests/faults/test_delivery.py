"""Faults of delivery, each by seeds and judged by one checker: kills at commit points, zombies, stale consumers, replays, restores."""

import pytest

from mainstem.consumer.ledger import Ledger
from mainstem.mending.reconcile import reconcile
from mainstem.mending.replay import replay
from mainstem.publisher import Publisher
from mainstem.state.outbox import StoredOutbox
from schemas.errors import OperatorError, TemporaryError

PUBLISHER_POINTS = {
    "before it is sent": (Publisher, "_launch"),
    "before it is marked": (StoredOutbox, "mark_published"),
    "between the state's mark and the network's": (StoredOutbox, "mark"),
    "before acknowledgements are waited for": (Publisher, "_land"),
}


def die_at(monkeypatch, killed, owner, name, nth, *, after=False):
    """The nth call of a method is the last thing that its process does."""
    real, calls = getattr(owner, name), []

    def dying(self, *args, **kwargs):
        calls.append(name)
        if len(calls) != nth:
            return real(self, *args, **kwargs)
        if after:
            real(self, *args, **kwargs)
        raise killed

    monkeypatch.setattr(owner, name, dying)


def nights(world, count):
    """As many, each published."""
    for _ in range(count):
        world.publish()
        world.night()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.slow
def test_row_1_publisher_killed_at_every_commit_point_loses_and_invents_nothing(
    world_of, seed, killed, monkeypatch, after
):
    world = world_of(seed)
    for owner, name in PUBLISHER_POINTS.values():
        world.night()
        with monkeypatch.context() as patched:
            die_at(patched, killed, owner, name, world.chance.randrange(1, 3), after=after)
            with pytest.raises(killed):
                nights(world, 6)
        world.publish()
    world.consume()
    assert world.wrong() == []


@pytest.mark.timeout(600)
@pytest.mark.slow
def test_row_1_consumer_killed_before_and_after_its_commit_makes_each_effect_once(world_of, seed, killed, monkeypatch):
    world = world_of(seed)
    for _ in range(3):
        world.night()
        world.publish()
        with monkeypatch.context() as patched:
            die_at(patched, killed, Ledger, "remember", 1, after=world.chance.random() < 0.5)
            with pytest.raises(killed):
                world.consume()
    world.consume()
    assert world.wrong() == []


@pytest.mark.slow
def test_row_5_zombie_publisher_is_turned_away_while_another_has_the_site(world_of, seed):
    world = world_of(seed)
    world.night()
    zombie = world.stream.publisher(world.state.outbox, sleep=lambda seconds: None)
    with world.state.outbox.publishing("north"), pytest.raises(TemporaryError, match="publishing north already"):
        zombie.publish()
    world.publish()
    world.night()
    world.publish()
    assert zombie.publish().events == 0
    zombie.close()
    world.consume()
    assert world.wrong() == []


def test_row_6_consumer_paused_past_its_session_writes_nothing_more(world_of, seed):
    """Another member goes on meanwhile; what the paused one had polled is refused by the place in the database."""
    world = world_of(seed)
    world.night()
    world.publish()
    paused = world.stream.consumer(world.engine, world.latest)
    paused.run_until_caught_up(timeout=60)
    world.night()
    world.publish()
    world.consume()
    paused.run_until_caught_up(timeout=60)
    paused.close()
    assert world.wrong() == []


@pytest.mark.timeout(600)
def test_row_12_state_from_a_backup_sends_nothing_and_then_supersedes(world_of, seed):
    """The numbers it would use again are taken; a higher epoch goes on, and consumers follow."""
    world = world_of(seed)
    world.night()
    world.publish()
    world.consume()
    with world.state.database.write() as connection:
        connection.exec_driver_sql("update told_mark set number = number - 1")
    world.night()
    with pytest.raises(OperatorError, match="restored from a backup"):
        world.publish()
    world.state.outbox.raise_epoch()
    world.publish()
    world.consume()
    assert world.wrong() == []


def test_row_14_published_twice_and_again_the_events_are_those_of_once(world_of, seed):
    world = world_of(seed)
    for _ in range(4):
        world.night()
        world.publish()
        world.publish()
    records = world.stream.records()
    assert len({dict(each.headers)["ce_id"] for each in records}) == len(records)
    world.consume()
    assert world.wrong() == []


@pytest.mark.timeout(600)
def test_row_4_lost_topic_is_refused_and_replay_rebuilds_it(world_of, seed):
    """The topic that the state published to is another one: nothing is sent before all is told again."""
    world = world_of(seed)
    for _ in range(3):
        world.night()
        world.publish()
    with world.state.database.write() as connection:
        connection.exec_driver_sql("update told_mark set topic = 'gone'")
    world.night()
    with pytest.raises(OperatorError, match="made anew"):
        world.publish()
    replay(world.state, world.settings, "north")
    world.publish()
    world.consume(effects="once")
    assert world.wrong() == []


@pytest.mark.timeout(600)
@pytest.mark.slow
def test_replays_between_nights_turn_nothing_back_and_reconcile_finds_nothing(world_of, seed):
    world = world_of(seed)
    for _ in range(3):
        world.night()
        world.publish()
        replay(world.state, world.settings, "north")
        world.night()
    world.publish()
    world.consume(effects="once")
    assert world.wrong() == []
    [found] = reconcile(world.state, world.settings, ["north"])
    assert found.differences == {}
