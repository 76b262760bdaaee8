"""Polls, hands over, and keeps the place: one transaction a poll."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, Protocol

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import IllegalStateError, KafkaError
from kafka.structs import OffsetAndMetadata
from sqlalchemy import Connection, Engine

from mainstem import telemetry
from mainstem.consumer.ahead import Ahead
from mainstem.consumer.dead_letters import DeadLetters
from mainstem.consumer.handling import Handler, Handling, LoadHandler
from mainstem.consumer.ledger import ENGINE, Ledger, StaleError
from mainstem.consumer.letterbox import Letterbox
from mainstem.consumer.meanwhile import Meanwhile
from mainstem.consumer.noting import AfterLetter, Noting
from mainstem.consumer.places import Places, Rebalances
from mainstem.consumer.progress import At, Progress, Standing, standing
from mainstem.consumer.returning import AwayError, Clear, Returning
from mainstem.consumer.sifting import Only, Sieve
from mainstem.consumer.starting import Start, StateOf
from mainstem.consumer.subjects import Erase, ReportSender, Subjects
from mainstem.kafka.record_batches import identities, settle
from mainstem.kafka.settings import Reach, as_settings, explain, kafka_errors
from mainstem.kafka.topics import group_in_kafka, replay_topic
from schemas.errors import OperatorError, TemporaryError
from schemas.events import Header, OutcomeEvent, outcome_topic
from schemas.loads import load_topic
from schemas.subjects import subject_topic

log = structlog.get_logger(__name__)

TRACE_PARENT = Header.TRACE_PARENT.value
POLL_RECORDS = 5000
"""Events in one transaction at most."""
MANY = 10
"""Part of a transaction's most events from which on more of them are thought to wait."""
ATTEMPTS = 8
FETCH_BYTES = 4 * 1024 * 1024
"""Compressed, of all partitions at once; as much again is fetched while it is handled. Kafka's own is 50 MiB."""
COMMIT_SECONDS = 5.0
"""Between two words on how far we are, to Kafka and into the database; and two looks for letters that are due."""
LOOK_SECONDS = 30.0
"""Between two looks for a topic of replays of the group's own."""
POLL_INTERVAL_MS = 300_000
"""Kafka's own `max_poll_interval_ms`."""
PATIENCE_SECONDS = 2.0
"""A group that admits a member takes no longer, unless one of its members is gone without goodbye."""

Effects = Literal["once", "rebuild"]
"""What may happen again. `rebuild`: tables, which can be cleared and filled again, and which replayed events fill again. `once`: what
reaches the world, such as a message; an event that was handled never comes again, and nothing is read again from the start."""


class StopSignal(Protocol):
    """Ends `run`: a threading or multiprocessing Event."""

    def is_set(self) -> bool: ...


class Consumer:
    """Feeds `handler` from a network's outcome topic, and `load_handler` from its load topic. Connects at the first run; the kit's tables
    are made in `engine`'s database.

    `only`: sites, types and codes that are wanted. `members`: the network's sites; an event of any other is a dead letter.
    `after_letter`: whether later events of a record of which one is a dead letter supersede it, or wait for it.
    `effects`, `start`, `clear`: whether the handler's effects may be made again, from where a new group reads, and what empties the
    handler's tables when they have to be made again: a consumer that was away for longer than withdrawals are kept rebuilds by it.
    `erase`: deletes what the handler keeps of subjects who are to be forgotten; without it the sites are told that it was not done.
    `session_timeout`: a lost consumer's partitions go to others after this; Tansu also takes half of it to admit a consumer.
    `setting`: what names `engine`'s database, in messages on what to do. `notice` is told, once, what keeps it waiting.
    `share`: take partitions by group membership, so that several processes can share the work; without it this one reads all.
    `unknown_too`: `handler` is also given events of record types that this version does not know, to keep as they are.
    `late_handler` is given what is older than what was handled of its record, and duplicates: for a history, which wants all of it.
    """

    ignored: Counter[str]
    """Events of record types that this version does not know, by type: passed over, or with `unknown_too` handed over."""
    unwanted = 0
    """Events passed over because `only` leaves them out."""
    _identities: Mapping[str, str] = {}
    """The brokers' own names of the topics that are read."""
    _told_at = _looked_at = 0.0
    _alone_since: float | None = None

    def __init__(
        self,
        reach: Reach,
        *,
        network: str,
        group: str,
        engine: Engine,
        handler: Handler,
        load_handler: LoadHandler | None = None,
        late_handler: Handler | None = None,
        unknown_too: bool = False,
        only: Only = Only(),
        members: Collection[str] | None = None,
        after_letter: AfterLetter = "supersede",
        effects: Effects = "rebuild",
        start: Start = "beginning",
        clear: Clear | None = None,
        erase: Erase | None = None,
        share: bool = True,
        session_timeout: float = 6.0,
        poll_records: int = POLL_RECORDS,
        setting: str = ENGINE,
        attempts: int = ATTEMPTS,
        sleep: Callable[[float], Any] = time.sleep,
        clock: Callable[[], float] = time.time,
        notice: Callable[[str], Any] = lambda sentence: None,
        **client_options: Any,
    ) -> None:
        self._settings = as_settings(reach)
        self._network = network
        self._topics = [outcome_topic(network), *([load_topic(network)] if load_handler else [])]
        self._group, self._engine = group, engine
        self._start = start
        self._share = share
        self._session_timeout = session_timeout
        self._attempts = attempts
        self._sleep = sleep
        self._notice = notice
        self._options = _options(group_in_kafka(network, group), share, session_timeout, poll_records) | client_options
        self._client: KafkaConsumer | None = None
        self._places: Places | None = None
        self._goals: dict[TopicPartition, int] = {}
        self._ledger = Ledger(engine, group, setting=setting)
        self._box = Letterbox(engine, group, hold=after_letter == "hold")
        self._letters = DeadLetters(self._settings, network, group, self._box)
        self._reports = ReportSender(self._settings, network, engine, Subjects(group, erase))
        again = effects == "rebuild"
        noting = Noting(self._box, self._letters)
        self._handling = Handling(
            self._ledger, handler, load_handler, self._letters, late=late_handler, noting=noting, replays=again
        )
        self._sieve = Sieve(group, network=network, only=only, members=members, since=start, unknown_too=unknown_too)
        self._know_subjects(subject_topic(network))
        self._progress = Progress(engine, group, clock)
        self._returning = Returning(
            self._settings, self._topics[0], self._ledger, self._progress, clear if again else None
        )
        silence = self._options["max_poll_interval_ms"] / 3000
        self._meanwhile = Meanwhile(silence if share else None, notice, self._sieve.sort)
        self.ignored = Counter()

    def _know_subjects(self, topic: str) -> None:
        self._ahead = Ahead(self._settings, topic, self._ledger)
        self._handling.subjects, self._handling.look_ahead = self._reports.subjects, (self._ahead, self._sieve.sort)

    def standing(self) -> list[Standing]:
        """How far the group is, a line a topic; a few seconds old at most while it runs."""
        return standing(self._engine, self._group)

    def lag(self) -> int:
        """Offsets from where we are to the end of our partitions, as far as was told: events, and a few marks that are none."""
        if self._client is None or self._places is None:
            return 0
        offsets = self._places.offsets()
        return sum(max(0, (self._client.highwater(partition) or 0) - at) for partition, at in offsets.items())

    def rebuild(self) -> None:
        """Empty the handler's tables by `clear` and read everything again from the beginning, at the next run."""
        self._ledger.create_tables()
        self._returning.rebuild()
        if self._places is not None:
            self._places.forget()

    def __enter__(self) -> "Consumer":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def run(self, stop: StopSignal, *, idle: float = 0.5, on_caught_up: Callable[[int], Any] | None = None) -> int:
        """Handle events until `stop` is set; returns how many. A broker that is away is waited for, within limits.

        `on_caught_up` is told how many were handled so far whenever all that the topics hold is handled: once at the start, then after
        news, of types passed over too.
        """
        handled, told = 0, (-1, 0)
        while not stop.is_set():
            handled += (new := self._step(idle))
            news = (handled, self.ignored.total() + self.unwanted)
            if on_caught_up and not new and news != told and self._caught_up():
                told = news
                self._say_how_far(*self._connected())
                on_caught_up(handled)
        return handled

    def run_until_caught_up(self, *, timeout: float = 120.0) -> int:
        """Handle everything that is in the topic now; returns how many events reached the handler."""
        deadline = time.monotonic() + timeout
        ends: dict[TopicPartition, int] | None = None
        self._goals.clear()
        handled = 0
        while ends is None or not self._reached(ends):
            if ends is None:
                ends = self._ends()
            if time.monotonic() > deadline:
                raise TemporaryError(
                    f"consumer group {self._group} did not reach the end of {self._topics[0]} in {timeout:.0f} s",
                    "Run it again; look whether other members of the group are stuck.",
                )
            handled += self._step(0.5)
        client, places = self._connected()
        self._say_how_far(client, places)
        self._report()
        return handled + self._again(client, self._partitions(client))

    def close(self) -> None:
        """Leave the group and close the connections; offsets are already in the database."""
        client, self._client, self._places = self._client, None, None
        self._meanwhile.forget()
        if client is not None:
            try:
                client.close(autocommit=False, timeout_ms=2000)
            except KafkaError as exc:
                log.info("left the group without goodbye", group=self._group, kind=type(exc).__name__)
        self._letters.close()

    def _step(self, idle: float) -> int:
        """One poll and its transaction. After an error of Kafka's the client is rebuilt: it may be stuck at the place."""
        for attempt in range(1, self._attempts + 1):
            first = self._client is None
            try:
                return self._poll(idle)
            except StaleError:
                log.warning("another consumer has moved on; reading from its place", group=self._group)
                return 0
            except KafkaError as exc:
                problem = explain(self._settings, exc)
                cause: Exception = exc
            except TemporaryError as exc:
                problem, cause = exc, exc
            self.close()
            if attempt == self._attempts or (first and attempt == 1) or not isinstance(problem, TemporaryError):
                raise problem from cause
            pause = min(10.0, 0.25 * 2**attempt)
            log.warning("consuming again", group=self._group, cause=problem.cause, attempt=attempt, pause=pause)
            self._notice(f"{problem.cause}; trying again")
            self._sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _poll(self, idle: float) -> int:
        client, places = self._connected()
        try:
            handled = self._next(client, places, idle)
        except AwayError as away:
            self._notice(away.told)
            self.rebuild()
            return 0
        except BaseException:
            places.forget()  # the client is behind what it gave us, and that is not handled
            raise
        return handled + self._now_and_then(client, places)

    def _next(self, client: KafkaConsumer, places: Places, idle: float) -> int:
        """What was read ahead, or what a poll brings, and its transaction; returns how many events were new to the handler."""
        ahead = self._meanwhile.ahead()
        polled = ahead.polled if ahead else client.poll(timeout_ms=int(idle * 1000))
        admitted = places.admit(polled)
        self._tell_silence(client)
        if not admitted:
            return 0
        found = ahead.found if ahead and len(admitted) == len(polled) else self._sieve.sort(admitted)
        moves = places.moves(admitted)
        began, many = time.time_ns(), sum(map(len, admitted.values())) * MANY >= self._options["max_poll_records"]
        with self._meanwhile.beside(client, read=many):
            handled = self._handling.handle(moves, found)
        if telemetry.is_on():
            telemetry.consumed(_parents(admitted), began, group=self._group, events=handled)
        places.moved(moves)
        self._progress.applied(admitted)
        self.ignored.update(found.ignored)
        self.unwanted += found.unwanted
        return handled

    def _now_and_then(self, client: KafkaConsumer, places: Places) -> int:
        """Says how far we are, and handles letters that are due; returns how many events were new by that."""
        if time.monotonic() - self._told_at < COMMIT_SECONDS or not places.ours():
            return 0
        self._told_at = time.monotonic()
        self._say_how_far(client, places)
        if self._told_at - self._looked_at >= LOOK_SECONDS and self._look_for_topics(client):
            self.close()
            return 0
        self._commit_advisory(client, places)
        self._report()
        return self._again(client, places.ours())

    def _again(self, client: KafkaConsumer, partitions: Collection[TopicPartition]) -> int:
        """Handles the letters that are due, of these partitions."""
        new = 0
        try:
            while due := self._box.due(partitions):
                with self._meanwhile.beside(client):
                    done = self._handling.again(due, self._letters.read, self._sieve.sort)
                new += done.new
                if not done.settled:
                    break
        except StaleError:
            log.info("another member has moved on; letters that are due wait for the next look", group=self._group)
        return new

    def _commit_advisory(self, client: KafkaConsumer, places: Places) -> None:
        """Tell Kafka our place, for lag monitors; nothing depends on it."""
        if self._share and (offsets := places.offsets()):
            client.commit_async({partition: OffsetAndMetadata(n, "", -1) for partition, n in offsets.items()})

    def _say_how_far(self, client: KafkaConsumer, places: Places) -> None:
        offsets = places.offsets()
        ends = {partition: client.highwater(partition) for partition in offsets}
        ahead = self._meanwhile.pending
        self._progress.write({p: At(n if ahead else client.position(p) or n, ends[p] or n) for p, n in offsets.items()})

    def _tell_silence(self, client: KafkaConsumer) -> None:
        """That the group gives us nothing yet, when that takes longer than it should."""
        if not self._share or client.assignment():
            self._alone_since = None
            return
        now = time.monotonic()
        self._alone_since = self._alone_since or now
        if self._alone_since > 0 and now - self._alone_since > PATIENCE_SECONDS:
            self._alone_since = -1.0
            if client.group_metadata().generation_id > 0:
                why = "another member has them all"
            elif self._progress.seen_within(self._session_timeout + PATIENCE_SECONDS):
                why = f"a member was killed, or is stuck, and is given up after {self._session_timeout:.0f} s"
            else:
                return  # the group's first member: brokers take their time
            log.info("waiting for the group", group=self._group, seconds=self._session_timeout, why=why)
            self._notice(f"group {self._group} gives us no partition yet: {why}")

    def _connected(self) -> tuple[KafkaConsumer, Places]:
        if self._client is None or self._places is None:
            self._ledger.create_tables()
            OutcomeEvent.model_rebuild()  # what checks events is made once, and not while the first transaction is open
            if isinstance(self._start, StateOf):
                self._ledger.adopt(self._start.group, self._reports.subjects.adopt)
            self._client = client = KafkaConsumer(**self._settings.client_options() | self._options)
            settle(client)
            for topic in self._topics:
                if topic != self._replays and not client.partitions_for_topic(topic):
                    raise OperatorError(
                        f"Kafka at {self._settings.name} has no topic {topic}",
                        "Create it: `mainstem topics create`.",
                    )
            self._look_for_topics(client)
            self._prove_topics(client)
            rebalances = Rebalances()
            if self._share:
                client.subscribe(self._topics, listener=rebalances)
            else:
                client.assign(self._partitions(client))
            self._places = Places(client, self._ledger, rebalances, start=self._start, prove=self._returning.prove)
        return self._client, self._places

    def _report(self) -> None:
        """Tells the sites what was erased; what cannot be told waits, and stops nothing."""
        try:
            self._reports.send()
        except OperatorError as exc:
            log.error("erasures are not reported", group=self._group, cause=exc.cause, fix=exc.fix)

    @property
    def _replays(self) -> str:
        return replay_topic(self._network, self._group)

    def _prove_topics(self, client: KafkaConsumer) -> None:
        """That the group's places are of the topics that are there."""
        self._identities = identities(client, self._topics)
        self._ledger.prove(self._identities, self._begin_anew)
        self._letters.read_from(self._identities)
        self._ahead.forget()

    def _begin_anew(self, connection: Connection, topic: str) -> None:
        letters = self._box.forget(connection, topic)
        told = f"{topic} was made anew since consumer group {self._group} read it"
        log.warning(f"{told}; reading it from its start", topic=topic, group=self._group, letters_forgotten=letters)
        self._notice(f"{told}: it is read from its start")

    def _look_for_topics(self, client: KafkaConsumer) -> bool:
        """Whether a topic was made anew since the last look, the group's own topic of replays came or went, or that of subjects came, which
        an older network lacks."""
        self._looked_at = time.monotonic()
        others = [topic for topic in self._topics if topic != self._replays]
        wanted = [topic for topic in (subject_topic(self._network), self._replays) if topic not in others]
        there = client.topics()
        before, self._topics = self._topics, [*others, *(topic for topic in wanted if topic in there)]
        now = identities(client, self._topics)
        anew = any(self._identities.get(topic, identity) != identity for topic, identity in now.items())
        return anew or self._topics != before

    def _ends(self) -> dict[TopicPartition, int]:
        with kafka_errors(self._settings):
            client, _ = self._connected()
            return dict(client.end_offsets(self._partitions(client)))

    def _caught_up(self) -> bool:
        """Whether all that the topics hold now is handled; not known while the broker is away."""
        self._goals.clear()
        try:
            return self._reached(self._ends())
        except (KafkaError, TemporaryError):
            return False

    def _partitions(self, client: KafkaConsumer) -> list[TopicPartition]:
        return [
            TopicPartition(topic, number)
            for topic in self._topics
            for number in sorted(client.partitions_for_topic(topic) or ())
        ]

    def _reached(self, ends: Mapping[TopicPartition, int]) -> bool:
        """Whether every partition is handled up to its end, by us or by another member of the group."""
        client, places = self._client, self._places
        if client is None or places is None or not places.settled or self._meanwhile.pending:
            return False
        mine = places.ours()
        if not all(self._reached_end(client, partition, ends.get(partition, 0)) for partition in mine):
            return False
        others = [partition for partition in ends if partition not in mine and ends[partition] > 0]
        if not others:
            return True
        stored = self._ledger.stored()
        return all(stored.get(partition, 0) >= ends[partition] for partition in others)

    def _reached_end(self, client: KafkaConsumer, partition: TopicPartition, end: int) -> bool:
        try:
            # The position moves over transaction markers too, which are no events.
            position = client.position(partition, timeout_ms=2000) or 0
            if position < end:
                return False
            # Tansu's end lies within the last batch; the watermark of the fetch that brought us there is behind it.
            goal = self._goals.setdefault(partition, max(end, client.highwater(partition) or 0))
        except IllegalStateError:
            return False  # taken from us since we asked
        return bool(position >= goal)


def _parents(polled: Mapping[TopicPartition, Sequence[Any]]) -> set[bytes]:
    """The traces that the events say they belong to."""
    return {
        value
        for records in polled.values()
        for record in records
        for name, value in record.headers
        if name == TRACE_PARENT
    }


def _options(group: str, share: bool, session_timeout: float, poll_records: int) -> dict[str, Any]:
    """How our consumers differ from kafka-python's."""
    return {
        "client_id": f"mainstem-consumer-{group}",
        "group_id": group if share else None,
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "isolation_level": "read_committed",
        "allow_auto_create_topics": False,
        "session_timeout_ms": int(session_timeout * 1000),
        "heartbeat_interval_ms": int(session_timeout * 1000 / 4),
        "max_poll_interval_ms": POLL_INTERVAL_MS,
        "max_poll_records": poll_records,
        "fetch_max_bytes": FETCH_BYTES,
        "metrics_enabled": False,
    }
