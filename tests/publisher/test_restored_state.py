"""A state that came back from a backup knows of less than the network was told: it sends nothing until somebody says that it goes on."""

import shutil
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import pytest
from states import save
from typer.testing import CliRunner

from mainstem.commands import app
from mainstem.kafka import topics
from mainstem.publisher import Publisher
from mainstem.state import Decision, State
from schemas.errors import OperatorError
from schemas.published import site_topic
from transforms.mapped import Mapped

AT = datetime(2026, 3, 2, 5, tzinfo=UTC)


@contextmanager
def opened(path: Path):
    state = State.open(f"sqlite:///{path}")
    state.migrate()
    yield state
    state.close()


def weight(number: int, value: str) -> Mapped:
    record = blake2b(b"weight%d" % number, digest_size=12).digest() + bytes(4)
    subject = blake2b(b"child%d" % (number % 5), digest_size=16).digest()
    names = f'"id":"r-{record.hex()}","subject":"s-{subject.hex()}","site":"north"'
    content = f'{{"type":"observation",{names},"value":{value}}}'.encode()
    return Mapped(record, "observation", subject, content, b'"source":[],"mapping":"observation@1"', None)


def night(stream, path: Path, *changes: Mapped) -> int:
    """Stores what came and publishes it."""
    with opened(path) as state:
        save(state, "north", list(changes), [], AT)
        return stream.publish(state.outbox).events


@pytest.fixture
def restored(stream, tmp_path) -> Path:
    """The state of the night before last, in place of the last one's."""
    path, backup = tmp_path / "mainstem.db", tmp_path / "backup.db"
    night(stream, path, weight(1, "20.1"), weight(2, "31.5"))
    shutil.copy(path, backup)
    night(stream, path, weight(1, "20.4"), weight(3, "18.0"))
    shutil.copy(backup, path)
    return path


@pytest.mark.parametrize("brought", [1, 50])
def test_restored_state_sends_nothing_however_much_it_mapped_since(stream, restored, brought):
    """Its count may have passed what the network was told of: it is an older state all the same."""
    before = len(stream.records())
    with pytest.raises(OperatorError, match="restored from a backup") as refused:
        night(stream, restored, *(weight(number, "44.0") for number in range(10, 10 + brought)))
    assert "mainstem restore north" in refused.value.fix
    assert len(stream.records()) == before


def test_a_state_from_before_a_withdrawal_is_refused_though_no_record_changed(stream, tmp_path):
    """Who only stops leaves no change of a record: the withdrawal is counted like one."""
    path, backup, at = tmp_path / "mainstem.db", tmp_path / "backup.db", AT
    night(stream, path, weight(1, "20.1"))
    shutil.copy(path, backup)
    with opened(path) as state:
        state.consents.decide("north", [Decision(weight(1, "0").subject, "qi", False, at)], at)
        stream.publish(state.outbox)
    shutil.copy(backup, path)
    with pytest.raises(OperatorError, match="restored from a backup"):
        night(stream, path, weight(2, "31.5"))


def test_state_that_was_lost_and_begun_anew_is_refused_too(stream, restored, tmp_path):
    """An empty database would count from one."""
    with pytest.raises(OperatorError, match="another one"):
        night(stream, tmp_path / "new.db", weight(1, "20.9"))


def restoring(stream, restored, tmp_path, monkeypatch) -> list[str]:
    """The command, in a network of its own."""
    (tmp_path / "north.toml").write_text(
        'site = "north"\nname = "North"\ntime_zone = "UTC"\nsubject_key = "env:KEY"\n[files]\nfolder = "."\n'
    )
    for name, value in {
        "MAINSTEM_KAFKA": stream.bootstrap,
        "MAINSTEM_NETWORK": stream.network,
        "MAINSTEM_DATABASE_URL": f"sqlite:///{restored}",
        "KEY": "k" * 64,
    }.items():
        monkeypatch.setenv(name, value)
    return ["restore", str(tmp_path / "north.toml")]


def test_restore_forgets_again_whom_the_network_was_told_to_forget(stream, tmp_path, monkeypatch):
    """The backup holds the records; after the restore the state does not, and whatever comes of the child is not taken."""
    path, backup, child = tmp_path / "mainstem.db", tmp_path / "backup.db", weight(1, "0").subject
    night(stream, path, weight(1, "20.1"), weight(2, "31.5"))
    shutil.copy(path, backup)
    with opened(path) as state:
        state.consents.decide("north", [Decision(child, "qi", False, AT, True)], AT)
        stream.publish(state.outbox)
    shutil.copy(backup, path)

    done = CliRunner().invoke(app, [*restoring(stream, path, tmp_path, monkeypatch), "--yes"])
    assert "1 subjects taken over, 1 records forgotten" in done.output
    night(stream, path, weight(1, "20.9"), weight(2, "31.7"))
    last = {record.key: record.value for record in stream.records()}
    assert [key.startswith(f"s-{child.hex()}".encode()) for key, value in last.items() if value] == [False]
    with opened(path) as state:
        (standing,) = state.consents.of("north")
        assert (standing.erase, standing.sequence) == (True, 2)


@pytest.mark.slow
def test_restore_says_what_it_does_and_then_consumers_follow(
    stream, restored, tmp_path, monkeypatch, latest_of, sqlite_engine
):
    """Nothing without --yes; then the epoch has risen, no id is used twice, and what comes is newer than what was."""
    latest = latest_of(sqlite_engine)
    with stream.consumer(sqlite_engine, latest) as consumer:
        consumer.run_until_caught_up(timeout=40)
    command = restoring(stream, restored, tmp_path, monkeypatch)

    said = CliRunner().invoke(app, command)
    assert said.exit_code == 0, said.exception or said.output
    assert "its epoch becomes 2" in said.output
    assert "say --yes" in said.output
    with pytest.raises(OperatorError):
        night(stream, restored, weight(1, "20.9"))

    done = CliRunner().invoke(app, [*command, "--yes"])
    assert done.exit_code == 0, done.exception or done.output
    night(stream, restored, weight(1, "21.7"))
    assert "nothing to do" in CliRunner().invoke(app, command).output

    ids = [dict(record.headers)["ce_id"] for record in stream.records()]
    assert len(set(ids)) == len(ids)
    with stream.consumer(sqlite_engine, latest) as consumer:
        assert consumer.run_until_caught_up(timeout=40) >= 1
    assert latest.state()[f"r-{weight(1, '').id.hex()}"] == "21.7"


def test_killed_between_its_mark_and_the_networks_a_state_goes_on(stream, tmp_path, monkeypatch):
    """The state's own mark comes first: a crash never makes it look older than it is."""
    path = tmp_path / "mainstem.db"

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("mainstem.publisher.publisher.as_sent", die)
        with pytest.raises(KeyboardInterrupt):
            night(stream, path, weight(1, "20.1"))
    assert night(stream, path, weight(2, "31.5")) == 2
    assert night(stream, path, weight(2, "31.6")) == 1


def test_network_without_the_topic_is_told_and_served(broker, network, outbox, observe):
    """Made before there was one: publishing goes on, and it is said what is missing."""
    wanted = [topic for topic in topics.topics(network, replication=1) if topic.name != site_topic(network)]
    topics.create_missing(broker, wanted)
    observe(outbox, 1)
    told: list[str] = []
    with Publisher(broker, network=network, store=outbox, site="north", software="0", notice=told.append) as publisher:
        assert publisher.publish().events == 1
    assert "topics create" in told[0]
