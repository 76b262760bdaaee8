"""What a family asks about consent, scope by scope: its site decides; here it is kept where that stands, and by a receipt it is followed
even when nothing else is kept of them any more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, insert, inspect, select, update

from mainstem.consumer.subjects import consumer_subject
from schemas.subjects import SCOPES, ConsentAsked, Scope, Wish
from services.people.families import Who
from services.people.printed_codes import kept, new_code
from services.registry.erasure import GROUP
from services.registry.tables import consent_request, erased

PRESSED_WITHIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with somebody, as their site's word reached the registry."""

    withdrawn: frozenset[str] = frozenset()
    forgotten: bool = False

    def heeds(self, scope: str, wish: Wish) -> bool:
        """Whether that is what was asked."""
        if wish is Wish.GIVE:
            return scope not in self.withdrawn and not self.forgotten
        return self.forgotten or (scope in self.withdrawn and wish is Wish.WITHDRAW)


@dataclass(frozen=True, slots=True)
class Request:
    """One request."""

    id: str
    site: str
    whom: str
    scope: Scope
    wish: Wish
    who: Who
    at: datetime
    told: datetime | None
    done: datetime | None


def ask(
    connection: Connection, site: str, subject: str, scope: Scope, wish: Wish, *, who: Who, at: datetime
) -> str | None:
    """Keeps what is asked; returns the receipt, shown once. None where the last word on this scope is the same and is not done yet; of a
    button that was pressed twice a receipt anew, for the first was never seen."""
    last, receipt = latest(connection, subject).get(scope), new_code()
    if last is not None and last.done is None and last.wish is wish:
        if last.who is not who or at - last.at > PRESSED_WITHIN:
            return None
        connection.execute(update(consent_request).where(consent_request.c.id == last.id).values(receipt=kept(receipt)))
        return receipt
    row = {"id": uuid4().hex, "receipt": kept(receipt), "site": site, "whom": subject, "scope": scope}
    connection.execute(insert(consent_request).values(**row, wish=str(wish), who=str(who), at=at.astimezone(UTC)))
    return receipt


def latest(connection: Connection, subject: str) -> dict[Scope, Request]:
    """The last request of each scope."""
    row = consent_request.c
    rows = connection.execute(select(consent_request).where(row.whom == subject).order_by(row.at, row.id))
    return {each.scope: _request(each) for each in rows}


def by_receipt(connection: Connection, receipt: str) -> Request | None:
    """What a receipt stands for."""
    row = connection.execute(select(consent_request).where(consent_request.c.receipt == kept(receipt))).first()
    return None if row is None else _request(row)


def standing(connection: Connection, subject: str) -> Standing:
    """By the registry's own consumer."""
    gone = connection.scalar(select(erased.c.subject).where(erased.c.subject == subject)) is not None
    if not inspect(connection).has_table(consumer_subject.name):
        return Standing(forgotten=gone)
    row = consumer_subject.c
    told = connection.execute(
        select(row.qi, row.research, row.erase).where(row.consumer_group == GROUP, row.subject == subject)
    ).first()
    if told is None:
        return Standing(forgotten=gone)
    return Standing(frozenset(scope for scope in SCOPES if getattr(told, scope)), told.erase)


def untold(connection: Connection, limit: int) -> list[ConsentAsked]:
    """What sites are still to be told, the oldest first."""
    row = consent_request.c
    query = select(consent_request).where(row.told.is_(None)).order_by(row.at, row.id).limit(limit)
    return [
        ConsentAsked(
            id=each.id,
            site=each.site,
            subject=each.whom,
            scope=each.scope,
            wish=each.wish,
            by="self" if each.who == Who.SELF else "guardian",
            at=each.at,
        )
        for each in connection.execute(query)
    ]


def mark_told(connection: Connection, idents: Sequence[str], *, at: datetime) -> None:
    """The broker has these."""
    named = consent_request.c.id.in_(list(idents))
    connection.execute(update(consent_request).where(named).values(told=at.astimezone(UTC)))


def mark_done(connection: Connection, *, at: datetime) -> int:
    """Marks what sites have done since; returns how many."""
    waiting = [
        _request(each) for each in connection.execute(select(consent_request).where(consent_request.c.done.is_(None)))
    ]
    heeded = [each.id for each in waiting if standing(connection, each.whom).heeds(each.scope, each.wish)]
    if heeded:
        named = consent_request.c.id.in_(heeded)
        connection.execute(update(consent_request).where(named).values(done=at.astimezone(UTC)))
    return len(heeded)


def open_requests(connection: Connection) -> list[Request]:
    """The last words that no site has followed yet, the oldest first."""
    row = consent_request.c
    last = {
        (each.whom, each.scope): _request(each)
        for each in connection.execute(select(consent_request).order_by(row.at, row.id))
    }
    return sorted((each for each in last.values() if each.done is None), key=lambda each: (each.at, each.id))


def _request(row: Row[Any]) -> Request:
    given: dict[str, Any] = {name: getattr(row, name) for name in Request.__dataclass_fields__}
    return Request(**given | {"wish": Wish(given["wish"]), "who": Who(given["who"])})
