"""What was published is told again: with its own ids, in no other order than it had, beside a night that runs, after a kill, for one group."""

import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner
from waiting import wait_until

from mainstem.commands import app
from mainstem.kafka import topics
from mainstem.kafka.topics import replay_topic
from mainstem.mending import replay as replaying
from mainstem.mending.reconcile import reconcile
from mainstem.mending.replay import replay
from mainstem.publisher import Publisher
from mainstem.state import Wanted
from mainstem.state.consents import Decision
from schemas.errors import OperatorError
from schemas.loads import LoadEventType


def again(site, *args, **options):
    return replay(site.state, site.settings, "north", *args, **options)


def heads(records):
    return [{name: value.decode() for name, value in each.headers} for each in records]


@pytest.fixture
def lived(north, of):
    """Forty heights, one measured anew, one withdrawn, one that waits."""
    north.night(*(of(number, f"{100 + number}.0") for number in range(40)))
    north.night(of(3, "104.4"), gone=(5,))
    north.night(of(7, "109.9"), publish=False)
    return north


def test_everything_published_is_told_again_with_the_ids_it_had(lived):
    before = lived.latest()
    told = lived.stream.records()
    done = again(lived)
    assert (done.events, done.waiting, done.rebuilt) == (39, 1, False)
    repeated = [each for each in lived.stream.records() if dict(each.headers).get("replay") == b"1"]
    assert len(repeated) == 39
    assert {head["ce_id"] for head in heads(repeated)} <= {head["ce_id"] for head in heads(told)}
    assert {name: id_ for name, (id_, _) in lived.latest().items()} == {name: id_ for name, (id_, _) in before.items()}
    withdrawn = [each for each in repeated if each.value is None]
    assert [head["ce_type"].split(".")[-2] for head in heads(withdrawn)] == ["withdrawn"]


def test_type_subject_and_time_narrow_it(lived, of, began):
    assert again(lived, Wanted(types=("person",))).events == 0
    assert again(lived, Wanted(types=("observation",))).events == 39
    child = of(8, "1").subject
    assert again(lived, Wanted(subject=child)).events == len([n for n in range(40) if n % 7 == 1])
    assert again(lived, Wanted(since=began + timedelta(days=2))).events == 2


def test_killed_between_two_pages_it_goes_on_from_there(lived, monkeypatch):
    monkeypatch.setattr(replaying, "PAGE", 10)
    sent: list[int] = []
    resend = Publisher.resend

    def killed(self, rows, *given):
        sent.append(len(rows))
        if len(sent) == 3:
            raise KeyboardInterrupt
        return resend(self, rows, *given)

    with monkeypatch.context() as patched:
        patched.setattr(Publisher, "resend", killed)
        with pytest.raises(KeyboardInterrupt):
            again(lived)
    done = again(lived)
    assert (done.events, done.resumed) == (39, True)
    repeated = [each for each in lived.stream.records() if dict(each.headers).get("replay")]
    assert len(repeated) == 39
    assert again(lived).resumed is False
    assert again(lived, afresh=True).events == 39


def test_what_a_night_changes_meanwhile_stands_last(lived, of, monkeypatch):
    """Between two pages a night amends, withdraws, records: nothing that is told again follows something newer."""
    monkeypatch.setattr(replaying, "PAGE", 10)
    nights = iter([lambda: lived.night(of(30, "99.9"), of(1, "88.8")), lambda: lived.night(of(50, "77.7"), gone=(31,))])
    resend = Publisher.resend

    def disturbed(self, rows, *given):
        done = resend(self, rows, *given)
        again_free.append(next(nights, None))
        return done

    again_free: list = []
    keep = lived.state.mending.keep_place

    def between(*given):
        keep(*given)
        while again_free:
            if night := again_free.pop():
                night()

    monkeypatch.setattr(Publisher, "resend", disturbed)
    monkeypatch.setattr(lived.state.mending, "keep_place", between)
    again(lived)
    last: dict[str, int] = {}
    for head in heads(lived.stream.records()):
        sequence = int(head["ce_sequence"].split(".")[1])
        assert sequence >= last.get(head["ce_subject"], 0)
        last[head["ce_subject"]] = sequence
    assert json.loads(lived.latest()[f"r-{of(30, '1').id.hex()}"][1])["record"]["value"] == 99.9
    assert lived.latest()[f"r-{of(31, '1').id.hex()}"][1] is None


def test_consumers_take_it_again_where_tables_are_rebuilt_and_never_where_effects_are_made_once(
    lived, sqlite_engine, latest_of
):
    tables, messages = latest_of(sqlite_engine), latest_of(sqlite_engine)
    for effects, handler, group in (("rebuild", tables, "tables"), ("once", messages, "messages")):
        with lived.stream.consumer(sqlite_engine, handler, group=group, effects=effects) as consumer:
            consumer.run_until_caught_up()
    again(lived)
    with lived.stream.consumer(sqlite_engine, tables, group="tables", effects="rebuild") as consumer:
        assert consumer.run_until_caught_up() == 39
    with lived.stream.consumer(sqlite_engine, messages, group="messages", effects="once") as consumer:
        assert consumer.run_until_caught_up() == 0


def test_one_group_is_told_alone_and_reads_it_by_itself(lived, sqlite_engine, latest_of):
    before = len(lived.stream.records())
    done = again(lived, group="tables")
    assert done.topic == replay_topic(lived.stream.network, "tables")
    assert len(lived.stream.records()) == before
    handler = latest_of(sqlite_engine)
    with lived.stream.consumer(sqlite_engine, handler, group="tables") as consumer:
        consumer.run_until_caught_up()
        assert {standing.topic for standing in consumer.standing()} >= {done.topic}
    assert len(handler.state()) == 39
    with lived.stream.consumer(sqlite_engine, handler, group="others") as consumer:
        assert all("replay" not in each.topic for each in consumer.standing())


def test_after_a_restore_what_was_told_before_keeps_its_epoch(lived, of):
    """What was published in the first epoch has the ids of the first; what waited then and what came later those of the second."""
    ids = {name: id_ for name, (id_, _) in lived.latest().items()}
    lived.state.outbox.raise_epoch()
    lived.night(of(60, "66.6"))
    done = again(lived)
    assert done.events == 41
    now = {name: id_ for name, (id_, _) in lived.latest().items()}
    changed = {f"r-{of(number, '1').id.hex()}" for number in (7, 60)}
    assert {name for name, id_ in now.items() if ids.get(name) != id_} == changed
    repeated = [each for each in lived.stream.records() if dict(each.headers).get("replay")]
    epochs = {head["ce_subject"]: head["ce_sequence"].split(".")[0] for head in heads(repeated)}
    assert {name for name, epoch in epochs.items() if epoch == "2"} == changed


class TestBrokersMadeAnew:
    """The topics of another cluster, or made again under the same names, hold nothing of what was published."""

    @pytest.fixture
    def lost(self, lived, monkeypatch):
        """The outcome topic is another one than what was published to, as far as the state can know."""
        with lived.state.database.write() as connection:
            connection.exec_driver_sql("update told_mark set topic = 'the-one-before'")
        return lived

    def test_nothing_is_sent_until_all_is_told_again(self, lost, of):
        before = len(lost.stream.records())
        with pytest.raises(OperatorError, match="made anew") as refused:
            lost.night(of(61, "1.0"))
        assert "mainstem replay north" in refused.value.fix
        with pytest.raises(OperatorError, match="made anew"):
            again(lost, Wanted(types=("observation",)))
        assert len(lost.stream.records()) == before

    def test_replay_tells_records_then_loads_then_nights_go_on(self, lost, of):
        done = again(lost)
        assert (done.events, done.rebuilt, done.loads) == (39, True, 1)
        loads = [head["ce_type"] for head in heads(lost.stream.records("load.v1"))]
        assert loads[-1].split(".")[-2] == LoadEventType.STARTED
        lost.night(of(62, "2.0"))
        assert again(lost).rebuilt is False


def test_command_says_what_it_told(lived, tmp_path):
    environment = {
        "MAINSTEM_KAFKA": lived.stream.bootstrap,
        "MAINSTEM_NETWORK": lived.stream.network,
        "MAINSTEM_DATABASE_URL": lived.settings.database_url,
        "COLUMNS": "200",
    }
    said = CliRunner().invoke(app, ["replay", "north"], env=environment)
    assert said.exit_code == 0, said.exception
    assert "north: 39 events told again" in said.output
    assert "1 changes are not published yet" in said.output
    told = CliRunner().invoke(app, ["replay", "--all-sites", "--json", "--to-group", "tables"], env=environment)
    assert json.loads(told.stdout)[0]["events"] == 40 - 1
    for words, expected in (
        (["south"], "knows no site south"),
        ([], "one site is named"),
        (["north", "--type", "weather"], "no record type weather"),
        (["north", "--subject", "s-1"], "32 hexadecimal"),
        (["north", "--subject", "s-" + "0" * 32], "holds nothing of this subject"),
    ):
        refused = CliRunner().invoke(app, ["replay", *words], env=environment)
        assert expected in str(refused.exception)


def test_who_withdrew_is_told_before_records_when_brokers_were_made_anew(lived, of, began):
    """And of them nothing comes back: the state holds their tombstones alone."""
    child = of(8, "1").subject
    lived.state.consents.decide("north", [Decision(child, "qi", False, began, erase=True)], began)
    lived.stream.publish(lived.state.outbox)
    before = len(lived.stream.records("subject.v1"))
    with lived.state.database.write() as connection:
        connection.exec_driver_sql("update told_mark set topic = 'the-one-before'")
    again(lived)
    told = lived.stream.records("subject.v1")[before:]
    assert [each.key for each in told] == [b"s-" + child.hex().encode()]
    repeated = [each for each in lived.stream.records() if dict(each.headers).get("replay")]
    of_child = [each for each in repeated if each.key.startswith(b"s-" + child.hex().encode())]
    assert all(each.value is None for each in of_child)
    assert told[0].timestamp <= min(each.timestamp for each in repeated)


@pytest.mark.kafka
@pytest.mark.slow
def test_lost_topics_are_rebuilt_from_the_state_on_apache_kafka(
    kafka_stream, site_on, of, sqlite_engine, latest_of, postgres_url
):
    """A new consumer holds afterwards what the old one held, from a state in PostgreSQL; nothing differs."""
    north = site_on(kafka_stream, postgres_url)
    north.night(*(of(number, f"{100 + number}.0") for number in range(40)))
    north.night(of(3, "104.4"), gone=(5,))
    before = {name: id_ for name, (id_, value) in north.latest().items() if value is not None}
    names = [topic.name for topic in topics.topics(kafka_stream.network)]
    with topics.administration(kafka_stream.bootstrap) as admin:
        admin.delete_topics(names)
    made: list[str] = []
    wait_until(
        lambda: (
            made.extend(topics.create(kafka_stream.bootstrap, kafka_stream.network, replication=1))
            or len(made) >= len(names)
        )
    )
    with pytest.raises(OperatorError, match="made anew"):
        north.night(of(4, "99.0"))
    done = again(north)
    assert (done.rebuilt, done.waiting) == (True, 0)  # what waited was published behind it
    north.night(of(50, "1.0"))
    now = {name: id_ for name, (id_, value) in north.latest().items() if value is not None}
    assert {name for name in before if now.get(name) != before[name]} == {f"r-{of(4, '1').id.hex()}"}
    handler = latest_of(sqlite_engine)
    with kafka_stream.consumer(sqlite_engine, handler) as consumer:
        consumer.run_until_caught_up(timeout=60)
    assert set(handler.state()) == set(now)
    [found] = reconcile(north.state, north.settings, ["north"])
    assert found.same
