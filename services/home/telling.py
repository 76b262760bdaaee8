"""What families said becomes records of the centre's: numbers as answers, topics as issues. Their words never leave."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from threading import Event, Lock, Thread
from typing import NamedTuple

import structlog
from sqlalchemy import Engine, select

from mainstem.consumer.erasures import Told
from schemas.errors import MainstemError
from schemas.outcomes import Issue, ProResponse
from schemas.outcomes.record import Coding
from schemas.subjects import ConsentAsked, ErasureReport
from services.people import consent_requests
from services.people.families import Who
from services.people.voices import SYSTEM, TOPIC, Said, mark_answers_told, untold
from services.registry.database import reading, writing
from services.registry.tables import erased

log = structlog.get_logger(__name__)
EVERY_SECONDS = 15.0
AT_ONCE = 500
NAMES = {"id": "r-" + "0" * 32, "subject": "s-" + "0" * 32, "site": "centre"}
"""Given by the centre."""


class Fact(NamedTuple):
    """What is to become a record."""

    name: str
    """What tells it from others for good; only its keyed hash leaves."""
    subject: bytes
    fact: Issue | ProResponse
    at: datetime


Keep = Callable[[Mapping[str, Sequence[Fact]]], None]
"""Records facts by their FHIR type and publishes them; the same again is no change."""


def tell(registry: Engine, keep: Keep, *, at: datetime) -> int:
    """Hands on what was said and not told yet; returns how many. Killed at any moment, the next call tells the same once."""
    with reading(registry) as connection:
        waiting = untold(connection, AT_ONCE)
    if waiting:
        answers = [_born(*each) for each in waiting if each[1].kind != TOPIC]
        keep(
            {
                "QuestionnaireResponse": answers,
                "Communication": [_born(*each) for each in waiting if each[1].kind == TOPIC],
            }
        )
        with writing(registry) as connection:
            mark_answers_told(connection, [said.id for _, said in waiting], at=at)
    return len(waiting)


Ask = Callable[[Sequence[ConsentAsked]], None]
"""Tells sites what families ask of them."""


def ask_sites(registry: Engine, ask: Ask, *, at: datetime) -> int:
    """Tells what was asked and not told yet, and marks what sites have done since; returns how many were told. The same told twice
    goes under the same id."""
    with reading(registry) as connection:
        waiting = consent_requests.untold(connection, AT_ONCE)
    if waiting:
        ask(waiting)
    with writing(registry) as connection:
        consent_requests.mark_told(connection, [each.id for each in waiting], at=at)
        consent_requests.mark_done(connection, at=at)
    return len(waiting)


class Forgetting:
    """Whom the registry was told to forget, the centre forgets too: what they said had become records of its own."""

    def __init__(self, registry: Engine, forget: Callable[[Sequence[bytes]], None]) -> None:
        self._registry, self._forget = registry, forget
        self._done: set[str] = set()

    def __call__(self) -> None:
        """Those that are new; the same again, after a restart, forgets nothing twice."""
        with reading(self._registry) as connection:
            gone = set(connection.scalars(select(erased.c.subject))) - self._done
        if gone:
            self._forget([bytes.fromhex(subject.removeprefix("s-")) for subject in sorted(gone)])
            self._done |= gone


class Reported:
    """What consumers say that they erased, read on from where it was read last."""

    def __init__(self, said: Callable[[int], Iterable[tuple[int, Told]]]) -> None:
        self._said, self._next, self._lock = said, 0, Lock()
        self._found: list[ErasureReport] = []

    def __call__(self) -> Sequence[ErasureReport]:
        """All; what is known where the broker is away."""
        with self._lock:
            try:
                for offset, told in self._said(self._next):
                    self._next = offset + 1
                    if isinstance(told, ErasureReport):
                        self._found.append(told)
            except MainstemError as exc:
                log.warning("reports of erasures are not read", cause=exc.cause, fix=exc.fix)
            return tuple(self._found)


def _born(subject: str, said: Said) -> Fact:
    return Fact(f"answer/{said.id}", bytes.fromhex(subject.removeprefix("s-")), _fact(said), said.at)


def _fact(said: Said) -> Issue | ProResponse:
    """Patient is whoever says it of themselves; a guardian is family."""
    coding, own = [Coding(system=SYSTEM, code=said.item)], said.who is Who.SELF
    when = {"date": said.at.date().isoformat(), "instant": said.at}
    if said.kind == TOPIC:
        return Issue(
            kind="page",
            raised_by="patient" if own else "family",
            codings=coding,
            status="in-progress",
            raised=when["instant"],
            raised_date=when["date"],
            **NAMES,
        )
    return ProResponse(
        codings=coding,
        value=said.number,
        reporter="self" if own else "proxy",
        status="completed",
        effective=when["instant"],
        effective_date=when["date"],
        **NAMES,
    )


@contextmanager
def telling(once: Callable[[], object], every: float = EVERY_SECONDS) -> Iterator[None]:
    """Calls `once` beside whatever runs, again and again. What fails is logged by its cause and tried at the next turn."""
    over = Event()

    def go_on() -> None:
        while not over.wait(every):
            try:
                once()
            except MainstemError as exc:
                log.warning("not told yet", cause=exc.cause, fix=exc.fix)

    thread = Thread(target=go_on, name="telling", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(every)
