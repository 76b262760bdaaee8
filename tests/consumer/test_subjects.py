"""Who withdrew and is to be forgotten: what the kit does about it, whatever comes late, again, or from a backup."""

import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, select, text
from streams import Latest, MemoryOutbox, Stream, name

from mainstem.consumer import Consumer, LetterReason
from mainstem.consumer.erasures import read_told
from mainstem.consumer.ledger import metadata
from mainstem.consumer.subjects import (
    FoundSubject,
    ReportSender,
    Subjects,
    as_sent,
    consumer_subject,
    read_report,
    read_subject,
)
from mainstem.consumer.testing import Message
from mainstem.kafka.envelopes import id_of
from mainstem.kafka.settings import as_settings
from mainstem.outbox import Told
from schemas.events import Header
from schemas.subjects import ConsentHeeded, ErasureReport, SubjectEvent

AT = datetime(2026, 3, 2, 5, tzinfo=UTC)
CHILD = f"s-{name('subject', 0).hex()}"


def said(sequence: int, **values: Any) -> SubjectEvent:
    """How it stands with the child."""
    given = {"event": "withdrawn", "subject": CHILD, "site": "north", "sequence": sequence, "at": AT}
    return SubjectEvent.model_validate({**given, "withdrawn": ["qi", "research"], "erase": True, **values})


def tell(outbox: MemoryOutbox, event: SubjectEvent) -> None:
    """It waits to be published."""
    value = event.model_dump_json().encode()
    number = max((each.number for each in outbox.events), default=0) + 1
    outbox.events.append(Told(number, "subject", f"{event.subject}/{event.sequence}", event.event, event.at, value))


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return create_engine(f"sqlite:///{tmp_path / 'mine.db'}")


class Erasing:
    """What `Latest` keeps, of one child in these tests, is deleted; how often is counted."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, connection: Connection, subjects: Sequence[str]) -> int:
        self.asked += subjects
        return connection.execute(text("delete from latest")).rowcount


def kept(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("select count(*) from latest")).scalar_one())


def reports(stream: Stream) -> list[ErasureReport]:
    return [each for each in answers(stream) if isinstance(each, ErasureReport)]


def answers(stream: Stream) -> list[object]:
    """All that stands on the erasure topic, as the sites and the families' page read it."""
    return [read_told(each) for each in stream.records("erasure.v1")]


def test_the_forgotten_do_not_come_back_and_the_site_is_told(
    stream: Stream, outbox: MemoryOutbox, observe: Callable[..., bytes], engine: Engine
) -> None:
    """Not by what is late, not by a rebuild from the start, not by a backup of the site; only by the site's word."""
    handler, erase = Latest(engine), Erasing()
    observe(outbox, 1)
    stream.publish(outbox)
    with stream.consumer(engine, handler, erase=erase, clear=lambda db: db.execute(text("delete from latest"))) as us:
        us.run_until_caught_up()
        assert kept(engine) == 1
        tell(outbox, said(1))
        stream.publish(outbox)
        us.run_until_caught_up()
        assert (kept(engine), erase.asked) == (0, [CHILD])
        assert [(each.group, each.subject, each.erased, each.rows) for each in reports(stream)] == [
            ("test", CHILD, True, 1)
        ]

        observe(outbox, 1, "8.2")
        observe(outbox, 2)
        stream.publish(outbox)
        us.run_until_caught_up()
        assert kept(engine) == 0
        outbox.epoch = 2
        observe(outbox, 3)
        stream.publish(outbox)
        us.rebuild()
        us.run_until_caught_up()
        assert (kept(engine), erase.asked, len(reports(stream))) == (0, [CHILD], 1)

        tell(outbox, said(2, event="given", withdrawn=[], erase=False))
        observe(outbox, 1, "9.3")
        stream.publish(outbox)
        us.run_until_caught_up()
        assert kept(engine) == 1


def test_what_is_told_after_consent_was_given_again_is_not_lost_whichever_topic_is_read_first(
    stream: Stream, outbox: MemoryOutbox, observe: Callable[..., bytes], engine: Engine
) -> None:
    """Topics have no order between them: another member's, or another broker's, may lag. Who is still to be forgotten stays so."""
    handler, erase = Latest(engine), Erasing()
    observe(outbox, 1)
    stream.publish(outbox)
    tell(outbox, said(1))
    stream.publish(outbox)
    with stream.consumer(engine, handler, erase=erase, attempts=1) as us:
        us.run_until_caught_up()
        late(us, stream)
        observe(outbox, 1, "8.2")
        stream.publish(outbox)
        steps(us)
        assert kept(engine) == 0

        tell(outbox, said(2, event="given", withdrawn=[], erase=False))
        stream.publish(outbox)
        observe(outbox, 1, "9.3")
        observe(outbox, 2, "7.0")
        stream.publish(outbox)
        steps(us)
        assert kept(engine) == 2
    with stream.consumer(engine, handler, erase=erase) as again:
        assert again.run_until_caught_up() == 0
    assert kept(engine) == 2


def late(consumer: Consumer, stream: Stream) -> None:
    """The subject topic brings nothing from now on."""
    client = consumer._client
    assert client is not None
    client.pause(*(each for each in client.assignment() if each.topic == f"{stream.network}.subject.v1"))


def steps(consumer: Consumer) -> None:
    """A few polls."""
    for _ in range(4):
        consumer._step(0.3)


def test_two_members_may_hear_of_a_subject_at_once(postgres_engine: Engine) -> None:
    """One by its own partition, one by looking there: the newer word stays, in whichever order they come."""
    metadata.create_all(postgres_engine)
    older, newer = (FoundSubject(said(number, erase=number == 1), 1, None) for number in (1, 2))
    with postgres_engine.connect() as one, postgres_engine.connect() as other:
        Subjects("test").take(one, [newer])
        waiting = threading.Thread(target=lambda: Subjects("test").take(other, [older]))
        waiting.start()
        waiting.join(0.3)
        one.commit()
        waiting.join(10)
        other.commit()
    with postgres_engine.connect() as connection:
        assert list(connection.execute(select(consumer_subject.c.sequence, consumer_subject.c.erase))) == [(2, False)]


def test_every_consumer_says_that_it_goes_by_a_consent(
    stream: Stream, outbox: MemoryOutbox, observe: Callable[..., bytes], engine: Engine
) -> None:
    """Research withdrawn and given again, once each, whether or not it can erase; that a subject is another's is no consent."""
    observe(outbox, 1)
    stream.publish(outbox)
    handler = Latest(engine)
    with stream.consumer(engine, handler) as us, stream.consumer(engine, handler, group="other") as other:
        for each in (us, other):
            each.run_until_caught_up()
        tell(outbox, said(1, event="withdrawn", withdrawn=["research"], erase=False))
        stream.publish(outbox)
        for each in (us, other, us):
            each.run_until_caught_up()
        tell(outbox, said(2, event="given", withdrawn=[], erase=False))
        tell(outbox, said(3, event="separated", withdrawn=[], erase=False))
        stream.publish(outbox)
        us.run_until_caught_up()
    assert kept(engine) == 1
    heard = [(each.group, each.subject, each.withdrawn) for each in answers(stream) if isinstance(each, ConsentHeeded)]
    assert heard[:2] == [("test", CHILD, ["research"]), ("other", CHILD, ["research"])]
    assert len(answers(stream)) == len(heard)


def test_who_has_no_way_to_erase_says_so(
    stream: Stream, outbox: MemoryOutbox, observe: Callable[..., bytes], engine: Engine
) -> None:
    """The withdrawals of the records are handed over all the same; a new group that begins later is told as well."""
    observe(outbox, 1)
    stream.publish(outbox)
    handler = Latest(engine)
    with stream.consumer(engine, handler) as us:
        us.run_until_caught_up()
        tell(outbox, said(1))
        observe(outbox, 1, None)
        stream.publish(outbox)
        us.run_until_caught_up()
    assert kept(engine) == 0
    assert [each.erased for each in reports(stream)] == [False]
    with stream.consumer(engine, handler, group="later", start=datetime.now(UTC), erase=Erasing()) as later:
        later.run_until_caught_up()
    assert [(each.group, each.erased) for each in reports(stream)] == [("test", False), ("later", True)]


def test_every_erasure_that_is_kept_is_reported_whenever_the_consumer_dies(
    stream: Stream, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An erasure that was undone is told to nobody; one that was sent and not marked goes again under its id; and all go, however many."""
    metadata.create_all(engine)
    monkeypatch.setattr("mainstem.consumer.subjects.LOOKUP", 2)
    subjects = Subjects("test", lambda connection, gone: 1)
    many = [said(1, subject=f"s-{name('subject', number).hex()}") for number in range(1, 5)]
    with engine.connect() as undone:
        subjects.take(undone, [FoundSubject(said(1), 1, None)])
    with engine.begin() as connection:
        subjects.take(connection, [FoundSubject(each, 1, None) for each in many])

    dying = ReportSender(as_settings(stream.bootstrap), stream.network, engine, subjects)
    with monkeypatch.context() as patched:
        patched.setattr(subjects, "reported", die)
        with pytest.raises(KeyboardInterrupt):
            dying.send()
    next_one = ReportSender(as_settings(stream.bootstrap), stream.network, engine, subjects)
    assert (next_one.send(), next_one.send()) == (4, 0)

    ids = [value for each in stream.records("erasure.v1") for key, value in each.headers if key == Header.ID]
    assert (len(ids), len(set(ids))) == (6, 4)
    assert {each.subject for each in reports(stream)} == {each.subject for each in many}


def die(*args: object) -> None:
    raise KeyboardInterrupt


def message(event: SubjectEvent, **changed: Any) -> Message:
    """The event as a site sends it, but for what is changed: headers by their name, `key`, `value`."""
    headers = {
        Header.SPEC_VERSION: "1.0",
        Header.ID: id_of(f"{event.subject}/1.{event.sequence}".encode()).decode(),
        Header.SOURCE: f"/site/{event.site}",
        Header.TYPE: f"lhn.subject.{event.event}.v1",
        Header.TIME: "2026-03-02T05:00:00Z",
        Header.SUBJECT: event.subject,
        Header.DATA_SCHEMA: "/schemas/subject.v1.json",
        Header.SEQUENCE: f"1.{event.sequence}",
        Header.CONTENT_TYPE: "application/json",
    } | {Header(each): value for each, value in changed.items() if each not in ("key", "value")}
    sent = [(str(each), value.encode()) for each, value in headers.items() if value is not None]
    value = changed.get("value", event.model_dump_json().encode())
    return Message(changed.get("key", event.subject.encode()), value, sent, "lhn.subject.v1")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"ce_sequence": None}, LetterReason.MISSING_HEADER),
        ({"ce_type": None}, LetterReason.MISSING_HEADER),
        ({"ce_source": "north"}, LetterReason.INVALID_HEADER),
        ({"ce_sequence": "1"}, LetterReason.INVALID_HEADER),
        ({"ce_sequence": f"1.{2**64}"}, LetterReason.INVALID_HEADER),
        ({"ce_type": "lhn.subject.withdrawn.v2"}, LetterReason.UNKNOWN_VERSION),
        ({"ce_type": "lhn.subject.given.v1"}, LetterReason.CONTRADICTION),
        ({"ce_source": "/site/south"}, LetterReason.CONTRADICTION),
        ({"ce_sequence": "1.9"}, LetterReason.CONTRADICTION),
        ({"key": f"s-{'0' * 32}".encode()}, LetterReason.CONTRADICTION),
        ({"ce_subject": f"s-{'0' * 32}"}, LetterReason.CONTRADICTION),
        ({"key": None}, LetterReason.CONTRADICTION),
        ({"value": None}, LetterReason.INVALID_RECORD),
        ({"value": b"{"}, LetterReason.INVALID_RECORD),
        ({"value": json.dumps({"event": "exploded"}).encode()}, LetterReason.INVALID_RECORD),
        ({"ce_id": None}, LetterReason.MISSING_HEADER),
        ({"ce_id": "1"}, LetterReason.INVALID_HEADER),
        ({"ce_time": None}, LetterReason.MISSING_HEADER),
        ({"ce_time": "2026-03-02"}, LetterReason.INVALID_HEADER),
        ({"ce_subject": None}, LetterReason.MISSING_HEADER),
        ({"ce_dataschema": None}, LetterReason.MISSING_HEADER),
        ({"ce_dataschema": "/schemas/subject.v2.json"}, LetterReason.UNKNOWN_VERSION),
        ({"ce_dataschema": "/schemas/load.v1.json"}, LetterReason.INVALID_HEADER),
        ({"ce_type": "lhn.outcome.withdrawn.v1"}, LetterReason.INVALID_HEADER),
        ({"ce_source": "/consumer/north"}, LetterReason.INVALID_HEADER),
        ({"ce_specversion": "0.3"}, LetterReason.UNKNOWN_VERSION),
        ({"value": said(3, withdrawn=["research"]).model_dump_json().encode()}, LetterReason.INVALID_RECORD),
        ({"value": said(3, withdrawn=[]).model_dump_json().encode()}, LetterReason.INVALID_RECORD),
        ({"value": said(3, superseded_by=CHILD).model_dump_json().encode()}, LetterReason.INVALID_RECORD),
        ({"value": said(3, at="2026-03-02T05:00:00").model_dump_json().encode()}, LetterReason.INVALID_RECORD),
        ({"value": said(3, at="0001-01-01T00:00:00+14:00").model_dump_json().encode()}, LetterReason.INVALID_RECORD),
        ({"value": said(3).model_dump_json().replace("qi", "q\\ud800i").encode()}, LetterReason.INVALID_RECORD),
    ],
    ids=str,
)
def test_what_is_no_subject_event_forgets_nobody(changed: dict[str, Any], reason: LetterReason) -> None:
    """Headers, key and value speak of the same subject, site and change, or it is a dead letter."""
    assert read_subject(message(said(3))).event == said(3)  # type: ignore[union-attr]
    assert read_subject(message(said(3), **changed)) is reason


HEEDED = ConsentHeeded(group="test", site="north", subject=CHILD, epoch=1, sequence=3, withdrawn=["research"], at=AT)


@pytest.mark.parametrize(
    "changed",
    [
        {"key": b"west"},
        {"ce_source": b"/consumer/other"},
        {"ce_source": b"/site/north"},
        {"ce_subject": f"s-{'0' * 32}".encode()},
        {"ce_type": b"lhn.erasure.heeded.v2"},
        {"ce_type": b"lhn.erasure.reported.v1"},
        {"ce_dataschema": b"/schemas/erasure.v1.json"},
        {"value": None},
        {"value": HEEDED.model_dump_json().replace("research", "all").encode()},
        {"value": HEEDED.model_copy(update={"epoch": 2**40}).model_dump_json().encode()},
    ],
    ids=str,
)
def test_what_is_no_word_of_a_consumer_s_tells_nobody_that_a_consent_is_heeded(changed: dict[str, Any]) -> None:
    sent = as_sent("lhn", HEEDED)
    given = [(name, changed.get(name, text)) for name, text in sent["headers"]]
    assert read_told(Message(sent["key"], sent["value"], sent["headers"])) == HEEDED
    other = Message(changed.get("key", sent["key"]), changed.get("value", sent["value"]), given)
    assert isinstance(read_told(other), LetterReason)


REPORT = ErasureReport(group="test", site="north", subject=CHILD, epoch=1, sequence=3, erased=True, rows=2, at=AT)


@pytest.mark.parametrize(
    "changed",
    [
        {"key": b"west"},
        {"ce_source": b"/consumer/other"},
        {"ce_source": b"/site/north"},
        {"ce_subject": f"s-{'0' * 32}".encode()},
        {"ce_type": b"lhn.erasure.reported.v2"},
        {"ce_type": b"lhn.erasure.denied.v1"},
        {"ce_id": None},
        {"value": None},
        {"value": b"{"},
        {"value": REPORT.model_copy(update={"rows": 2**70}).model_dump_json().encode()},
        {"value": REPORT.model_copy(update={"epoch": 2**40}).model_dump_json().encode()},
        {"value": REPORT.model_copy(update={"at": datetime(2026, 3, 2)}).model_dump_json().encode()},
    ],
    ids=str,
)
def test_what_is_no_report_tells_nobody_that_something_was_erased(changed: dict[str, Any]) -> None:
    """Who asks how far an erasure is goes on, and does not take it for done."""
    sent = as_sent("lhn", REPORT)
    headers = [(name, changed.get(name, text)) for name, text in sent["headers"]]
    given = [(name, text) for name, text in headers if text is not None]
    assert read_report(Message(sent["key"], sent["value"], sent["headers"])) == REPORT
    other = Message(changed.get("key", sent["key"]), changed.get("value", sent["value"]), given)
    assert isinstance(read_report(other), LetterReason)
