"""Extracts are asked for in words that families read, approved by each site for its own patients, and what came of them is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import Connection, delete, insert, select, update

from mainstem.database import in_turn
from schemas.errors import OperatorError
from services.registry.tables import extract_answer, extract_request

LONGEST = 500
FORMS = ("ocdm", "omop")
TIERS = (1, 2, 3)
VIEWER = "extract/"
"""Before a request's id: who is told, in the log of views."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request."""

    id: str
    form: str
    tier: int
    cohort: tuple[str, ...]
    purpose: str
    """What it is for, in words for families."""
    by: str
    """Never shown."""
    at: datetime
    result: str
    """What came of it, in words for families; empty until it is told."""
    answers: tuple[tuple[str, bool], ...] = ()
    """Each site that answered, and whether it approves."""

    @property
    def approved(self) -> tuple[str, ...]:
        """The sites whose data it may hold."""
        return tuple(site for site, yes in self.answers if yes)


def ask(
    connection: Connection, form: str, tier: int, cohort: Sequence[str], purpose: str, *, by: str, at: datetime
) -> str:
    """Keeps a request; returns its id. The same of the same person that no site has answered is not kept twice. Raises OperatorError naming
    what cannot be."""
    if form not in FORMS or tier not in TIERS or (form == "omop" and tier == TIERS[-1]):
        raise OperatorError("there is no such extract", "ocdm at tier 1, 2 or 3; omop at tier 1 or 2.")
    if not purpose.strip() or len(purpose) > LONGEST:
        raise OperatorError(
            f"a request says in 1 to {LONGEST} characters what it is for", "Say it so that a family understands it."
        )
    if any(not code or len(code) > 20 or not code.replace(".", "").isalnum() for code in cohort):
        raise OperatorError("a cohort is given by codes", "SNOMED CT, or ICD-10-CM categories.")
    said = {"form": form, "tier": tier, "cohort": " ".join(cohort), "purpose": purpose.strip(), "by": by, "result": ""}
    in_turn(connection, f"asking by {by}")
    same = (extract_request.c[name] == value for name, value in said.items())
    answered = select(extract_answer.c.request)
    waiting = select(extract_request.c.id).where(*same, extract_request.c.id.not_in(answered))
    if (found := connection.scalar(waiting)) is not None:
        return str(found)
    ident = uuid4().hex
    connection.execute(insert(extract_request).values(id=ident, **said, at=at.astimezone(UTC)))
    return ident


def answer(connection: Connection, ident: str, site: str, *, yes: bool, by: str, at: datetime) -> None:
    """A site's answer for its own patients' data; the last one holds. Raises OperatorError where there is no such request."""
    named(connection, ident)
    row = extract_answer.c
    in_turn(connection, f"answering {ident}")
    connection.execute(delete(extract_answer).where(row.request == ident, row.site == site))
    values = {"request": ident, "site": site, "approved": yes, "by": by, "at": at.astimezone(UTC)}
    connection.execute(insert(extract_answer).values(values))


def tell_result(connection: Connection, ident: str, words: str, *, by: str) -> None:
    """What came of it, by whoever asked. Raises OperatorError."""
    if named(connection, ident).by != by:
        raise OperatorError("somebody else asked for this", "Whoever asked tells what came of it.")
    if not words.strip() or len(words) > LONGEST:
        raise OperatorError(f"what came of it takes 1 to {LONGEST} characters", "Say it in plain words.")
    connection.execute(update(extract_request).where(extract_request.c.id == ident).values(result=words.strip()))


def named(connection: Connection, ident: str) -> Request:
    """One of them. Raises OperatorError."""
    found = next((each for each in requests(connection) if each.id == ident), None)
    if found is None:
        raise OperatorError("there is no such request for an extract", "Ask for one on the page Research.")
    return found


def requests(connection: Connection) -> list[Request]:
    """All, the newest first."""
    answers: dict[str, list[tuple[str, bool]]] = {}
    for each in connection.execute(select(extract_answer).order_by(extract_answer.c.site)):
        answers.setdefault(each.request, []).append((each.site, each.approved))
    rows = connection.execute(select(extract_request).order_by(extract_request.c.at.desc(), extract_request.c.id))
    return [
        Request(
            row.id,
            row.form,
            row.tier,
            tuple(row.cohort.split()),
            row.purpose,
            row.by,
            row.at,
            row.result,
            tuple(answers.get(row.id, ())),
        )
        for row in rows
    ]
