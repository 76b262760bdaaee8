"""A site's published records told again from its state, with the ids and versions they had, marked as a replay.

To the outcome topic, for everybody, or to a topic of one group's own. Safe beside a night that runs: a page is read and sent under
the right to publish, so nothing older follows something newer; what changes meanwhile is told as it changes. Taken up again, where it
was killed, by the same asking.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import NamedTuple

import structlog

from mainstem.config.settings import Settings
from mainstem.kafka.topics import create_replay
from mainstem.publisher import Publisher, publisher_of
from mainstem.state import ReplayPlace, State, Wanted
from mainstem.state.audit import Deed
from schemas.channels import LOAD
from schemas.errors import TemporaryError

log = structlog.get_logger(__name__)
PAGE = 8000
"""Records read and sent at once, and between two marks of the place."""
PATIENCE_SECONDS = 600.0
"""So long a publisher that has the site is waited for."""

Progress = Callable[[int], None]
Notice = Callable[[str], None]


class Replayed(NamedTuple):
    """What a replay did."""

    site: str
    topic: str
    """Where it was told; empty: the outcome topic."""
    events: int
    """Told again, by all attempts of it."""
    loads: int
    """Loads told again: where the brokers had lost those too."""
    waiting: int
    """Changes that are not published yet: they come with the next run, not by a replay."""
    resumed: bool
    rebuilt: bool
    """The brokers knew nothing of what this site published."""


def replay(
    state: State,
    settings: Settings,
    site: str,
    wanted: Wanted = Wanted(),
    *,
    group: str = "",
    afresh: bool = False,
    progress: Progress = lambda events: None,
    notice: Notice = lambda sentence: None,
) -> Replayed:
    """Tells again what is wanted of a site; all of it where nothing is said. `group`: that consumer group alone.

    `afresh`: from the start, though the same was begun before. Raises TemporaryError where the broker is away, or another replays the
    site; OperatorError where the state is not the one that published last.
    """
    topic = create_replay(settings.kafka_settings(), settings.network, group) if group else ""
    with (
        state.holding(site, "replay"),
        publisher_of(
            site, settings, state.outbox, progress=progress, notice=notice, anew=wanted == Wanted()
        ) as publisher,
    ):
        anew, identity = publisher.outcomes_made_anew()
        lost, asked = anew and not topic, _asked(wanted, topic or identity)
        if afresh:
            state.mending.forget_place(site, asked)
        known = state.mending.place(site, asked)
        if lost and known is None:
            _tell_subjects(state, site, publisher, notice)
        place = known or ReplayPlace(0, state.mending.numbered(site), 0, datetime.now(UTC))
        place = _tell(state, site, wanted, asked, place, publisher, topic, notice)
        loads = _rebuilt(state, site, publisher, notice) if lost else 0
        state.mending.forget_place(site, asked)
    state.audit.note(site, Deed.REPLAY, f"{place.events} events told again to {topic or 'all'}", datetime.now(UTC))
    log.info("replayed", site=site, topic=topic, events=place.events, resumed=known is not None)
    return Replayed(site, topic, place.events, loads, state.mending.waiting(site, wanted), known is not None, lost)


def _tell(
    state: State,
    site: str,
    wanted: Wanted,
    asked: str,
    place: ReplayPlace,
    publisher: Publisher,
    topic: str,
    notice: Notice,
) -> ReplayPlace:
    """Page after page from a place on; returns the last one."""
    epochs = state.mending.epochs(site)
    state.mending.keep_place(site, asked, place)
    while True:
        with nullcontext() if topic else patiently(publisher, notice):
            rows = state.mending.published(site, wanted, after=place.after, upto=place.upto, limit=PAGE)
            sent = sum(
                publisher.resend(list(some), epoch, topic)
                for epoch, some in groupby(rows, lambda row: epochs.of(row.number))
            )
        if not rows:
            return place
        place = place._replace(after=rows[-1].number, events=place.events + sent)
        state.mending.keep_place(site, asked, place)


@contextmanager
def patiently(publisher: Publisher, notice: Notice) -> Iterator[None]:
    """The right to publish; a run that has it is waited for."""
    deadline, told = time.monotonic() + PATIENCE_SECONDS, False
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(publisher.right())
                break
            except TemporaryError as taken:
                if time.monotonic() > deadline:
                    raise
                if not told:
                    notice(f"{taken.cause}; waiting for it")
                    told = True
        yield


def _tell_subjects(state: State, site: str, publisher: Publisher, notice: Notice) -> None:
    """How it stands with who withdrew consent, or is another now, before anything of anybody is told again."""
    state.consents.tell_again(site, datetime.now(UTC))
    with patiently(publisher, notice):
        publisher.tell()


def _rebuilt(state: State, site: str, publisher: Publisher, notice: Notice) -> int:
    """All records are there again: then the loads, and that this state is the one that published last."""
    now = datetime.now(UTC)
    told = state.loads.retell(site, now - timedelta(days=LOAD.days or 0))
    with patiently(publisher, notice):
        publisher.tell_mark()
    publisher.publish()
    return told


def _asked(wanted: Wanted, topic: str) -> str:
    """What tells one asking from another: of a topic that was made anew nothing was told."""
    since = "" if wanted.since is None else wanted.since.isoformat()
    subject = "" if wanted.subject is None else wanted.subject.hex()
    return json.dumps([topic, sorted(wanted.types), subject, since], separators=(",", ":"))
