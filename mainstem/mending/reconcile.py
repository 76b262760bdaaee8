"""The topic's state against a site's: what is missing there, stale, too much, or told by another; and mended, where that is wished.

Safe beside a night that runs: only what was published before the topic was read is judged. Run again after a kill, it begins anew,
and what was mended is mended.
"""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain, groupby
from pathlib import Path
from struct import Struct
from typing import Any, Literal, NamedTuple

import structlog

from mainstem.config.settings import Settings
from mainstem.mending.replay import Notice, Progress, patiently
from mainstem.mending.shares import SHARES, Shares
from mainstem.mending.topic_state import Told, TopicState, read_topic
from mainstem.publisher import Publisher, publisher_of
from mainstem.state import Above, AsPublished, Epochs, State
from schemas.events import data_schema, outcome_topic, source_of
from schemas.outcomes import RECORD_TYPES
from transforms.mapped import ID_BYTES

log = structlog.get_logger(__name__)
EXTRA_COUNT, EXTRA_PERCENT = 50, 1.0
"""More of what the state does not hold is not withdrawn unasked: the state may be the one that lacks it."""
_HELD = Struct(">16s16sQQ16s??")
"""`AsPublished`, set down."""
TYPES = {data_schema(name).encode(): name for name in RECORD_TYPES}

Kind = Literal["missing", "stale", "extra", "foreign"]
KINDS: dict[Kind, str] = {
    "missing": "published, and not in the topic",
    "stale": "another content or version in the topic than was published",
    "extra": "in the topic, and not held by the site",
    "foreign": "the site's record, told last by another site",
}


class Difference(NamedTuple):
    """A record of which topic and state say different things."""

    kind: Kind
    id: bytes
    number: int
    """The state's change; 0 where it holds none."""
    above: Above | None
    """What the topic says must be surpassed; None: to be sent once more is enough."""
    epoch: int
    """The topic's."""


class Reconciled(NamedTuple):
    """What a comparison found of a site."""

    site: str
    records: int
    """Held by the state and judged."""
    events: int
    """Read from the topic, of all sites."""
    differences: dict[Kind, int]
    unjudged: int
    """Changed, or not published yet, when the topic was read."""
    unreadable: int
    """In the topic, of whomever, and no event: consumers make dead letters of them."""
    mended: dict[Kind, int]
    left: int
    """Not mended although that was wished: too many that the site does not hold, or of an epoch that is yet to come."""

    @property
    def same(self) -> bool:
        """Whether nothing differs any more."""
        return sum(self.differences.values()) == sum(self.mended.values())


def reconcile(
    state: State,
    settings: Settings,
    sites: list[str],
    *,
    repair: bool = False,
    withdraw_extra: bool = False,
    progress: Progress = lambda events: None,
    notice: Notice = lambda sentence: None,
) -> list[Reconciled]:
    """Compares the outcome topic with these sites' states; with `repair` mends what differs. The topic is read once.

    `withdraw_extra`: withdraw, too, what the site does not hold, however much it is.
    """
    upto = {site: state.mending.published_upto(site) for site in sites}
    done = []
    with read_topic(settings.kafka_settings(), outcome_topic(settings.network), progress=progress) as topic:
        for site in sites:
            comparing = _Comparing(state, topic, site, upto[site])
            found = comparing.count()
            if repair and found.differences:
                found = _mend(state, settings, comparing, found, withdraw_extra, notice)
            log.info("reconciled", site=site, **found.differences, mended=sum(found.mended.values()))
            done.append(found)
    return done


class _Comparing:
    """One site's records beside the topic's."""

    def __init__(self, state: State, topic: TopicState, site: str, upto: int) -> None:
        self._state, self._topic, self._upto = state, topic, upto
        self.site = site
        self._epochs: Epochs = state.mending.epochs(site)
        sources = topic.sources
        source = source_of(site).encode()
        self._mine = sources.index(source) if source in sources else -1
        self._types = [TYPES.get(schema, "") for schema in topic.schemas]
        self.records = self.unjudged = 0
        self.differing: list[int] = []
        """The shares in which something differed when all were counted."""

    def count(self) -> Reconciled:
        """How many differ, by kind."""
        differences: dict[Kind, int] = {}
        with tempfile.TemporaryDirectory(prefix="mainstem-") as folder, closing(Shares(Path(folder), _HELD)) as held:
            for rows in self._state.mending.standing(self.site):
                held.add(rows)
            for share in range(SHARES):
                kinds = [each.kind for each in self._share(share, held.lines(share))]
                for kind in kinds:
                    differences[kind] = differences.get(kind, 0) + 1
                if kinds:
                    self.differing.append(share)
        topic = self._topic
        return Reconciled(self.site, self.records, topic.events, differences, self.unjudged, topic.unreadable, {}, 0)

    def share(self, number: int) -> Iterator[Difference]:
        """The differences of one share of the ids, as the state is now."""
        ids = bytes([number]) + bytes(15), bytes([number]) + b"\xff" * 15
        return self._share(number, chain.from_iterable(self._state.mending.standing(self.site, ids)))

    def _share(self, number: int, rows: Iterable[tuple[Any, ...]]) -> Iterator[Difference]:
        told = self._topic.share(number)
        upto, mine, epoch_of = self._upto, self._mine, self._epochs.of
        changing: set[bytes] = set()
        records = 0
        for row in rows:
            id_, subject, change, sequence, digest, live, settled = row
            said = told.pop(id_ + subject, None)
            if not settled or change > upto:
                changing.add(id_)
                continue
            records += 1
            if said is None:
                if live:
                    yield Difference("missing", id_, change, None, 0)
                continue
            _, epoch, version, content, source, _, stands = said
            same = version == sequence and stands == live and (content == digest or not live)
            if not (same and source == mine and epoch == epoch_of(change)):
                yield self._differs(AsPublished._make(row), Told._make(said))
        self.records, self.unjudged = self.records + records, self.unjudged + len(changing)
        for said in map(Told._make, told.values()):
            if said.live and said.source == mine and said.key[:ID_BYTES] not in changing:
                yield Difference("extra", said.key[:ID_BYTES], 0, self._above(said), said.epoch)

    def _differs(self, row: AsPublished, said: Told) -> Difference:
        if said.source != self._mine:
            return Difference("foreign", row.id, row.number, self._above(said), said.epoch)
        if (said.epoch, said.sequence) < (self._epochs.of(row.number), row.sequence):
            return Difference("stale", row.id, row.number, None, said.epoch)
        return Difference("stale", row.id, row.number, self._above(said), said.epoch)

    def _above(self, said: Told) -> Above:
        return Above(said.key[:ID_BYTES], said.key[ID_BYTES:], self._types[said.schema], said.sequence)


def _mend(
    state: State,
    settings: Settings,
    comparing: _Comparing,
    found: Reconciled,
    withdraw_extra: bool,
    notice: Notice,
) -> Reconciled:
    """Share by share: what is enough is sent once more; what the topic has above the state is surpassed and published."""
    extra = found.differences.get("extra", 0)
    too_many = not withdraw_extra and extra > max(EXTRA_COUNT, found.records * EXTRA_PERCENT / 100)
    if too_many:
        notice(
            f"{comparing.site}: {extra:,} records of the topic are not held by the site, too many to be withdrawn unasked; "
            "where the site is right, say --withdraw-extra"
        )
    mended: dict[Kind, int] = {}
    with publisher_of(comparing.site, settings, state.outbox, notice=notice) as publisher:
        for share in comparing.differing:
            some = [each for each in comparing.share(share) if not (too_many and each.kind == "extra")]
            if some:
                for kind in _mend_share(state, comparing.site, some, publisher, notice):
                    mended[kind] = mended.get(kind, 0) + 1
        publisher.publish()
    return found._replace(mended=mended, left=sum(found.differences.values()) - sum(mended.values()))


def _mend_share(
    state: State, site: str, differences: list[Difference], publisher: Publisher, notice: Notice
) -> list[Kind]:
    """Mends some; returns the kinds of those that are."""
    again = {each.id: each for each in differences if each.above is None}
    epochs = state.mending.epochs(site)
    above = [
        each for each in differences if each.above is not None and each.epoch <= epochs.current and each.above.type
    ]
    if again:
        with patiently(publisher, notice):
            rows = [row for row in state.mending.published_of(site, list(again)) if row.number == again[row.id].number]
            for epoch, some in groupby(sorted(rows), lambda row: epochs.of(row.number)):
                publisher.resend(list(some), epoch)
    if above:
        last = state.loads.last(site)
        load = last.id if last else site
        state.mending.put_above(site, [each.above for each in above if each.above], load, datetime.now(UTC))
    return [each.kind for each in (*again.values(), *above)]
