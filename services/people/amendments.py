"""How an issue changes a measure: somebody proposes what is to be counted otherwise, people of every role discuss it, a person decides it by
name and with a reason, and a new version of the definition names it.

A decision alone changes no figure: a definition is code that is reviewed. What was accepted and is in no version yet is a promise.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, insert, select, update

from mainstem.database import in_turn
from schemas.errors import OperatorError
from services.measures.declared import Change, Measure
from services.registry.said import amendment, amendment_voice

LONGEST = 1_000
"""Characters of a text."""
OVER = OperatorError("this is decided already", "Load the page again, and propose anew what should still be different.")


class Decision(StrEnum):
    """What becomes of it."""

    ACCEPTED = "accepted"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Amendment:
    """What is proposed about a measure."""

    id: str
    measure: str
    """The measure's id."""
    version: str
    """The version it is to change."""
    change: str
    """What is to be counted otherwise, and how."""
    why: str
    issue: str
    """The issue it answers; empty where none."""
    role: str
    by: str
    """Never shown."""
    at: datetime
    decision: Decision | None = None
    reason: str = ""
    decided_name: str = ""
    """Who decided it, by name."""
    decided: datetime | None = None


@dataclass(frozen=True, slots=True)
class Voice:
    """What somebody says to it."""

    words: str
    role: str
    at: datetime


def propose(
    connection: Connection, measure: Measure, change: str, why: str, *, issue: str, role: str, by: str, at: datetime
) -> str:
    """Keeps it; returns its id. The same of the same person that is still discussed is not kept twice. Raises OperatorError."""
    said = {"change": _said(change, "what is to be counted otherwise"), "why": _said(why, "why")}
    row = amendment.c
    in_turn(connection, f"proposing for {measure.id}")
    same = (row.by == by, row.measure == measure.id, row.change == said["change"], row.decision == "")
    if (found := connection.scalar(select(row.id).where(*same))) is not None:
        return str(found)
    ident = uuid4().hex
    content = {"id": ident, "measure": measure.id, "version": measure.version, "issue": issue, "role": role, "by": by}
    undecided = {"decision": "", "reason": "", "decided_name": ""}
    connection.execute(insert(amendment).values(**content, **said, **undecided, at=at.astimezone(UTC)))
    return ident


def say(connection: Connection, ident: str, words: str, *, role: str, by: str, at: datetime) -> None:
    """What somebody thinks of it, while it is discussed; the same of the same person once. Raises OperatorError."""
    said = _said(words, "what you think of it")
    if (found := amendment_of(connection, ident)) is None or found.decision is not None:
        raise OVER
    row = amendment_voice.c
    in_turn(connection, f"discussing {ident}")
    if connection.scalar(select(row.id).where(row.amendment == ident, row.by == by, row.words == said)) is None:
        content = {"id": uuid4().hex, "amendment": ident, "words": said, "role": role, "by": by}
        connection.execute(insert(amendment_voice).values(**content, at=at.astimezone(UTC)))


def decide(
    connection: Connection, ident: str, decision: Decision, reason: str, *, name: str, by: str, at: datetime
) -> None:
    """Decides it, once. Raises OperatorError without a name or a reason, by who proposed it, or before anybody else said what they think."""
    said = _said(reason, "the reason")
    if not name.strip():
        raise OperatorError("a decision needs the name of who decides", "Log in with an account that has a name.")
    found = amendment_of(connection, ident)
    if found is None or found.decision is not None:
        raise OVER
    if found.by == by:
        raise OperatorError("whoever proposes something does not decide it", "Let somebody else decide.")
    others = select(amendment_voice.c.id).where(amendment_voice.c.amendment == ident, amendment_voice.c.by != found.by)
    if connection.scalar(others.where(amendment_voice.c.by != by).limit(1)) is None:
        raise OperatorError(
            "nobody but who proposes and who decides has said what they think of it", "Ask people of other roles first."
        )
    values = {"decision": str(decision), "reason": said, "decided_name": name.strip(), "decided": at.astimezone(UTC)}
    here = (amendment.c.id == ident, amendment.c.decision == "")
    if connection.execute(update(amendment).where(*here).values(**values)).rowcount != 1:
        raise OVER


def amendment_of(connection: Connection, ident: str) -> Amendment | None:
    """One of them."""
    return next(iter(_found(connection, amendment.c.id == ident)), None)


def amendments(connection: Connection, *, measure: str = "") -> list[Amendment]:
    """All, or those about a measure: those that are discussed first, then the last decided."""
    found = _found(connection, *([amendment.c.measure == measure] if measure else []))
    return sorted(found, key=lambda each: (each.decided is not None, -(each.decided or each.at).timestamp(), each.id))


def answering(connection: Connection, issues: Iterable[str]) -> dict[str, list[Amendment]]:
    """By issue, what was proposed in answer to it."""
    wanted, found = set(issues), dict[str, list[Amendment]]()
    for each in amendments(connection) if wanted else ():
        if each.issue in wanted:
            found.setdefault(each.issue, []).append(each)
    return found


def voices(connection: Connection, ident: str) -> list[Voice]:
    """What people said to it, in the order of time."""
    row = amendment_voice.c
    rows = connection.execute(
        select(row.words, row.role, row.at).where(row.amendment == ident).order_by(row.at, row.id)
    )
    return [Voice(*each) for each in rows]


def version_of(found: Amendment, measure: Measure) -> Change | None:
    """The version of the definition that names it, where it was accepted."""
    if found.decision is not Decision.ACCEPTED:
        return None
    return next((change for change in measure.changes if change.proposal == found.id), None)


def promised(found: Iterable[Amendment], known: Mapping[str, Measure]) -> list[Amendment]:
    """What was accepted and is in no version yet; `known`: measures by id."""
    accepted = [each for each in found if each.decision is Decision.ACCEPTED]
    return [each for each in accepted if each.measure not in known or version_of(each, known[each.measure]) is None]


def _found(connection: Connection, *which: Any) -> Sequence[Amendment]:
    rows = connection.execute(select(amendment).where(*which)).mappings()
    return [Amendment(**{**row, "decision": Decision(row["decision"]) if row["decision"] else None}) for row in rows]


def _said(words: str, what: str) -> str:
    said = words.strip()
    if not said or len(said) > LONGEST:
        raise OperatorError(f"it takes {what}, in 1 to {LONGEST:,} characters", "Fill it in, shortly.")
    return said
