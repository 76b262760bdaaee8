"""A state that came back from a backup knows of less than the network was told: it sends nothing until somebody says that it goes on."""

import json
import shutil
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import pytest
from services_cases import KafkaRecord
from sqlalchemy import create_engine, make_url
from states import save
from typer.testing import CliRunner

from mainstem.commands import app
from mainstem.kafka import topics
from mainstem.publisher import Publisher
from mainstem.publisher.marking import as_sent, read_mark
from mainstem.state import Decision, State
from schemas.errors import OperatorError
from schemas.published import Mark, site_topic
from transforms.mapped import Mapped

AT = datetime(2026, 3, 2, 5, tzinfo=UTC)


def url_of(place: Path | str) -> str:
    """Of a SQLite file; a URL is one."""
    return place if isinstance(place, str) else f"sqlite:///{place}"


@contextmanager
def opened(place: Path | str):
    state = State.open(url_of(place))
    state.migrate()
    yield state
    state.close()


def weight(number: int, value: str) -> Mapped:
    record = blake2b(b"weight%d" % number, digest_size=12).digest() + bytes(4)
    subject = blake2b(b"child%d" % (number % 5), digest_size=16).digest()
    names = f'"id":"r-{record.hex()}","subject":"s-{subject.hex()}","site":"north"'
    content = f'{{"type":"observation",{names},"value":{value}}}'.encode()
    return Mapped(record, "observation", subject, content, b'"source":[],"mapping":"observation@1"', None)


def night(stream, place: Path | str, *changes: Mapped) -> int:
    """Stores what came and publishes it."""
    with opened(place) as state:
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
        "MAINSTEM_DATABASE_URL": url_of(restored),
        "KEY": "k" * 64,
    }.items():
        monkeypatch.setenv(name, value)
    return ["restore", str(tmp_path / "north.toml")]


class SqliteState:
    """A state in a file, and its backup."""

    def __init__(self, folder: Path) -> None:
        self.place, self._backup = folder / "mainstem.db", folder / "backup.db"

    def back_up(self) -> None:
        shutil.copy(self.place, self._backup)

    def restore(self) -> None:
        shutil.copy(self._backup, self.place)


class PostgresState:
    """A state in PostgreSQL, and its backup: a database made from it as a template."""

    def __init__(self, server, name: str) -> None:
        self._server, self._names = server, (name, f"{name}_backup")
        self.place = server.create_database(name)

    def back_up(self) -> None:
        self._copy(*self._names)

    def restore(self) -> None:
        self._copy(*reversed(self._names))

    def _copy(self, source: str, target: str) -> None:
        other = make_url(self._server.create_database("elsewhere")).set(drivername="postgresql+psycopg")
        engine = create_engine(other, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f'drop database if exists "{target}" with (force)')
            connection.exec_driver_sql(f'create database "{target}" template "{source}"')
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def backed_up(request, tmp_path, network) -> SqliteState | PostgresState:
    if request.param == "sqlite":
        return SqliteState(tmp_path)
    return PostgresState(request.getfixturevalue("postgres_server"), f"state_{network.replace('-', '_')}")


RUBBISH = [
    (b"north", b"{", []),
    (b"north", None, []),
    (b"north", b'{"site":"north","epoch":99,"number":99}', [("ce_source", b"/site/west")]),
    (f"s-{weight(2, '0').subject.hex()}".encode(), b'{"event":"withdrawn","erase":true}', []),
    (None, b"\xff", [("ce_type", b"\xff")]),
]
"""What a stranger, a mistake or a later version may leave in the topics of sites, subjects and erasures."""


def test_restore_forgets_again_whom_the_network_was_told_to_forget(stream, backed_up, tmp_path, monkeypatch):
    """The backup holds the records; after the restore the state does not, and whatever comes of the child is not taken. Nothing that is no
    word of this site stops it."""
    place, child = backed_up.place, weight(1, "0").subject
    night(stream, place, weight(1, "20.1"), weight(2, "31.5"))
    backed_up.back_up()
    with opened(place) as state:
        state.consents.decide("north", [Decision(child, "qi", False, AT, True)], AT)
        stream.publish(state.outbox)
    backed_up.restore()
    for topic in ("site.v1", "subject.v1", "erasure.v1"):
        stream.send_all(RUBBISH, topic=topic)

    command = restoring(stream, place, tmp_path, monkeypatch)
    with pytest.raises(OperatorError, match="restored from a backup"):
        night(stream, place, weight(1, "20.9"))
    done = CliRunner().invoke(app, [*command, "--yes"])
    assert "1 subjects taken over, 1 records forgotten" in done.output, done.exception
    night(stream, place, weight(1, "20.9"), weight(2, "31.7"))
    last = {record.key: record.value for record in stream.records()}
    assert [key.startswith(f"s-{child.hex()}".encode()) for key, value in last.items() if value] == [False]
    with opened(place) as state:
        (standing,) = state.consents.of("north")
        assert (standing.erase, standing.sequence) == (True, 2)
    status = CliRunner().invoke(app, ["consent", "status", "--site", command[1], "--json"])
    (row,) = json.loads(status.stdout)
    assert (row["subject"], row["mode"], row["told"]) == (f"s-{child.hex()}", "erase", True), status.exception


@pytest.mark.parametrize("since", ["merged", "parted", "turned about"])
def test_restore_takes_over_who_is_whom(stream, tmp_path, monkeypatch, since):
    """What an operator said of merged patients after the backup was made; nothing comes back under a name that is not its own."""
    path, backup = tmp_path / "mainstem.db", tmp_path / "backup.db"
    anna, bert = weight(1, "0").subject, weight(2, "0").subject
    night(stream, path, weight(1, "20.1"), weight(2, "31.5"))
    with opened(path) as state:
        if since != "merged":
            state.aliases.add("north", *((anna, bert) if since == "parted" else (bert, anna)), "merged", AT)
        stream.publish(state.outbox)
    shutil.copy(path, backup)
    with opened(path) as state:
        if since != "merged":
            state.aliases.end("north", anna if since == "parted" else bert, AT)
        if since != "parted":
            state.aliases.add("north", anna, bert, "merged", AT)
        stream.publish(state.outbox)
    night(stream, path, weight(1, "20.2"))
    shutil.copy(backup, path)

    done = CliRunner().invoke(app, [*restoring(stream, path, tmp_path, monkeypatch), "--yes"])
    assert done.exit_code == 0, done.exception or done.output
    night(stream, path, weight(1, "20.3"), weight(2, "31.7"))
    last = {record.key.decode().partition("/")[0]: [] for record in stream.records()}
    for key, value in {record.key.decode(): record.value for record in stream.records()}.items():
        last[key.partition("/")[0]] += [json.loads(value)["record"]["value"]] if value else []
    own = {f"s-{anna.hex()}": [20.3], f"s-{bert.hex()}": [31.7]}
    both = {f"s-{anna.hex()}": [], f"s-{bert.hex()}": [20.3, 31.7]}
    assert {name: sorted(values) for name, values in last.items()} == (own if since == "parted" else both)
    with opened(path) as state:
        assert [(each.old, each.why) for each in state.aliases.of("north")] == (
            [] if since == "parted" else [(anna, "taken over")]
        )


@pytest.mark.parametrize(
    ("key", "value", "changed"),
    [
        (b"north", {"site": "west"}, {}),
        (b"north", {}, {"ce_source": b"/site/west"}),
        (b"north", {}, {"ce_subject": b"west"}),
        (b"north", {}, {"ce_type": b"lhn.site.published.v2"}),
        (b"north", {}, {"ce_type": b"lhn.site.guessed.v1"}),
        (b"north", {}, {"ce_dataschema": b"/schemas/load.v1.json"}),
        (b"north", {}, {"ce_id": None}),
        (b"north", {"epoch": 0}, {}),
        (b"north", {"epoch": 2**40}, {}),
        (b"north", {"number": 2**70}, {}),
        (b"north", {"number": -1}, {}),
    ],
)
def test_what_is_no_mark_of_this_site_says_nothing_of_it(key, value, changed):
    """Its publisher goes on by the marks that are."""
    sound = as_sent("lhn", "north", Mark(3, 17))
    headers = [(name, changed.get(name, text)) for name, text in sound["headers"]]
    other = json.dumps(json.loads(sound["value"]) | value).encode()
    assert read_mark(KafkaRecord(key, sound["value"], sound["headers"]), "north") == Mark(3, 17)
    assert read_mark(KafkaRecord(key, other, [each for each in headers if each[1] is not None]), "north") is None


@pytest.mark.slow
def test_restore_says_what_it_does_and_then_consumers_follow(
    stream, restored, tmp_path, monkeypatch, latest_of, sqlite_engine
):
    """Nothing without --yes; then the epoch has risen, no id is used twice, and what comes is newer than what was."""
    latest = latest_of(sqlite_engine)
    with stream.consumer(sqlite_engine, latest) as consumer:
        consumer.run_until_caught_up()
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
        assert consumer.run_until_caught_up() >= 1
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
