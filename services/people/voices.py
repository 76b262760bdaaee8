"""What a family says before and after a visit: numbers and topics as codes, which become records; words, which stay here."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, func, insert, select, update

from schemas.errors import OperatorError
from services.people.families import Who
from services.registry.tables import family_answer

SYSTEM = "urn:mainstem:questions"
"""Of the codes of questions and topics, as `questions.toml` declares them."""
LONGEST_WORDS = 1_000
AFTER = "after"
"""The form that is asked after a visit, unless a network places one in its stead."""
AGAIN = timedelta(hours=1)
"""Within this the same hand's same answers are one form, sent twice."""
WORDS, TOPIC = "words", "topic"


@dataclass(frozen=True, slots=True)
class Question:
    """A question that is answered by a whole number."""

    code: str
    text: str
    low: int
    high: int
    low_words: str
    high_words: str


@dataclass(frozen=True, slots=True)
class Form:
    """What is asked at once."""

    name: str
    title: str
    questions: tuple[Question, ...]
    topics: Mapping[str, str]
    """Code → words."""
    words: str
    """What the field for words asks; empty where there is none."""
    instead_of: str = ""
    """The form that ships in whose stead it is asked; empty of one that is asked beside them."""
    translated: Mapping[str, "Form"] = field(default_factory=dict)
    """In other languages, by their codes; of those that ship the pages have the words."""

    def spoken(self, language: str) -> "Form":
        """In a language, where it has it; else as it was written."""
        return self.translated.get(language, self)


@dataclass(frozen=True, slots=True)
class Said:
    """One answer, topic or text."""

    id: str
    form: str
    who: Who
    item: str
    kind: str
    number: int | None
    words: str | None
    at: datetime


@cache
def forms() -> Mapping[str, Form]:
    """By name, as `questions.toml` declares them."""
    declared = tomllib.loads(Path(__file__).with_name("questions.toml").read_text(encoding="utf-8"))
    return {name: _form(name, each) for name, each in declared.items()}


def forms_of(own: Form | None) -> Mapping[str, Form]:
    """What a network asks, by name: what ships, and its own form, if it has one, beside them or instead of one."""
    if own is None:
        return forms()
    return {name: form for name, form in forms().items() if name != own.instead_of} | {own.name: own}


def asked_after(own: Form | None) -> Form:
    """What a network asks after a visit."""
    return own if own is not None and own.instead_of == AFTER else forms()[AFTER]


def _form(name: str, declared: Mapping[str, Any]) -> Form:
    asked = tuple(Question(code=code, **given) for code, given in declared["questions"].items())
    return Form(name, declared["title"], asked, declared.get("topics", {}), declared.get("words", ""))


def read_answers(
    form: Form, given: Mapping[str, str], topics: Sequence[str]
) -> list[tuple[str, str, int | None, str | None]]:
    """Item, kind, number, words of what was filled in. Raises OperatorError naming the question that cannot be so."""
    found: list[tuple[str, str, int | None, str | None]] = []
    for question in form.questions:
        text = given.get(question.code, "").strip()
        if not text:
            continue
        if not text.isascii() or not text.isdigit() or not question.low <= int(text) <= question.high:
            raise OperatorError(
                f"“{question.text}” takes a number from {question.low} to {question.high}", "Choose one."
            )
        found.append((question.code, "number", int(text), None))
    found += [(topic, TOPIC, None, None) for topic in dict.fromkeys(topics) if topic in form.topics]
    words = given.get(WORDS, "").strip()
    if len(words) > LONGEST_WORDS:
        raise OperatorError(f"the text is longer than {LONGEST_WORDS:,} characters", "Say it shorter, or at the visit.")
    if words and form.words:
        found.append((WORDS, WORDS, None, words))
    return found


def keep_answers(
    connection: Connection,
    whom: tuple[str, str],
    form: Form,
    said: Sequence[tuple[str, str, int | None, str | None]],
    *,
    who: Who,
    by: str,
    at: datetime,
) -> None:
    """Keeps what was said of `whom` (site, subject), once, however often a form is sent. Nothing said is nothing kept."""
    if _sent_again(connection, whom, form, said, by=by, at=at):
        return
    row = {"site": whom[0], "subject": whom[1], "form": form.name, "who": str(who), "by": by, "at": at.astimezone(UTC)}
    rows = [
        row | {"id": uuid4().hex, "item": item, "kind": kind, "number": number, "words": words}
        for item, kind, number, words in said
    ]
    if rows:
        connection.execute(insert(family_answer), rows)


def _sent_again(
    connection: Connection,
    whom: tuple[str, str],
    form: Form,
    said: Sequence[tuple[str, str, int | None, str | None]],
    *,
    by: str,
    at: datetime,
) -> bool:
    """Whether the last form of this hand is the same one, and just sent: a button pressed twice, a page loaded again."""
    row = family_answer.c
    theirs = (row.site == whom[0], row.subject == whom[1], row.form == form.name, row.by == by)
    last = connection.scalar(select(func.max(row.at)).where(*theirs, row.at > at.astimezone(UTC) - AGAIN))
    if last is None:
        return False
    before = connection.execute(select(row.item, row.kind, row.number, row.words).where(*theirs, row.at == last))
    return {tuple(each) for each in before} == set(said)


def said_of(connection: Connection, site: str, subject: str, *, most: int = 60) -> list[Said]:
    """What was said of a patient, the newest first."""
    row = family_answer.c
    query = select(family_answer).where(row.site == site, row.subject == subject)
    found = connection.execute(query.order_by(row.at.desc(), row.item).limit(most)).mappings()
    return [_said(each) for each in found]


def untold(connection: Connection, limit: int) -> list[tuple[str, Said]]:
    """Subject and answer of what is still to become records, the oldest first; never words."""
    row = family_answer.c
    query = select(family_answer).where(row.told.is_(None), row.kind != WORDS).order_by(row.at, row.id).limit(limit)
    return [(each["subject"], _said(each)) for each in connection.execute(query).mappings()]


def mark_answers_told(connection: Connection, idents: Sequence[str], *, at: datetime) -> None:
    """Their records are at the broker."""
    told = update(family_answer).where(family_answer.c.id.in_(idents))
    connection.execute(told.values(told=at.astimezone(UTC)))


def _said(row: Any) -> Said:
    content: dict[str, Any] = {name: row[name] for name in Said.__dataclass_fields__}
    return Said(**content | {"who": Who(row["who"])})
