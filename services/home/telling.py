"""What families said becomes records of the centre's: numbers as answers, topics as issues. Their words never leave."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from threading import Event, Lock, Thread
from typing import NamedTuple, Protocol

import structlog
from sqlalchemy import Engine

from mainstem.consumer.erasures import Told
from schemas.errors import MainstemError
from schemas.outcomes import Issue, ProResponse
from schemas.outcomes.record import Coding
from schemas.subjects import ConsentAsked, ConsentHeeded, ErasureReport
from services.people import consent_requests
from services.people.families import Who
from services.people.voices import SYSTEM, TOPIC, Said, mark_answers_told, untold
from services.registry.database import reading, writing
from services.registry.erasure import forgotten

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


class Keep(Protocol):
    """The centre, as far as what families say goes there."""

    def __call__(self, facts: Mapping[str, Sequence[Fact]]) -> None:
        """Records facts by their FHIR type and publishes them; the same again is no change."""
        ...

    def forget(self, subjects: Collection[str]) -> None:
        """Nothing of these is kept at the centre, and the network is told so; again is no change."""
        ...


def tell(registry: Engine, keep: Keep, *, at: datetime) -> int:
    """Hands on what was said and not told yet; returns how many. Killed at any moment, the next call tells the same once.

    Whose site says that all is to be forgotten is forgotten at the centre as well, whenever that is heard of.
    """
    with reading(registry) as connection:
        gone = forgotten(connection)
        waiting = [each for each in untold(connection, AT_ONCE) if each[0] not in gone]
    if gone:
        keep.forget(gone)
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


class Reported:
    """What consumers say that they erased or go by, read on from where it was read last."""

    def __init__(self, said: Callable[[dict[int, int]], Iterable[Told]]) -> None:
        self._said, self._lock = said, Lock()
        self._places: dict[int, int] = {}
        self._found: list[ErasureReport | ConsentHeeded] = []

    def __call__(self) -> Sequence[ErasureReport | ConsentHeeded]:
        """All; what is known where the broker is away."""
        with self._lock:
            try:
                for told in self._said(self._places):
                    if not isinstance(told, ConsentAsked):
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
