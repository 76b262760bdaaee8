"""What a family raises, what others raised for everybody, and how soon people of each role are answered."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection

from schemas.errors import OperatorError
from services.access.viewers import Role
from services.home.proposing import since
from services.measures.declared import Measure
from services.measures.library import measures_by_id
from services.pages.counted import NotCountedError
from services.pages.effect import Moved, effect_of
from services.pages.parts import WHOLE, Number, part_of
from services.pages.results import results_of
from services.people.amendments import answering
from services.people.families import Link, ways_of
from services.people.ideas import ideas
from services.people.issues import FAMILY, About, Raised, as_answered, heard, issues_seen, raise_issue
from services.people.tests_of_change import Tried as TestTried
from services.people.tests_of_change import tried_of
from services.registry.database import reading, writing
from services.registry.erasure import hand_of

ABOUTS = {
    About.CARE: "Care at my clinic",
    About.DATA: "My data",
    About.MEASURE: "What is measured",
    About.NETWORK: "The network",
}
OURS = (About.CARE, About.DATA)
"""What is about the clinic's own is seen by its people alone."""
WHO = {
    FAMILY: "Patients and families",
    Role.CLINICIAN: "Clinicians",
    Role.SITE_TEAM: "Improvement teams",
    Role.COORDINATOR: "Coordinators",
    Role.RESEARCHER: "Researchers",
}


def routes(home: Any, mine: Any) -> APIRouter:
    """`/raise`."""
    router = APIRouter(prefix="/raise")

    def shown(
        request: Request, link: Link, *, kept: bool = False, wrong: bool = False, written: str = "", number: int = 1
    ) -> HTMLResponse:
        now = home.clock()
        with reading(home.engine) as connection:
            part, everybodys = part_of(_seen(connection, link), number, at_once=WHOLE), issues_seen(connection, None)
            idents = {each.id for each in part.shown}
            tried, proposed = _tried_for(home, connection, idents), answering(connection, idents)
        return home.render(  # type: ignore[no-any-return]
            "raise.html",
            request,
            status=422 if wrong else 200,
            kept=kept,
            wrong=wrong,
            written=written,
            abouts=list(ABOUTS.items()),
            found=[(each, each.days(now), tried.get(each.id, []), proposed.get(each.id, [])) for each in part.shown],
            part=part,
            measures=list(measures_by_id().values()),
            since=since,
            heard=heard(everybodys, now),
            roles=WHO,
        )

    @router.get("")
    def page(request: Request, link: Annotated[Link, mine], number: Number = 1) -> HTMLResponse:
        """One's own, and the network's."""
        return shown(request, link, number=number)

    @router.post("")
    def say(
        request: Request,
        link: Annotated[Link, mine],
        about: Annotated[About, Form()] = About.CARE,
        words: Annotated[str, Form()] = "",
        measure: Annotated[str, Form()] = "",
    ) -> HTMLResponse:
        """Raises one; about a measure, where that is known."""
        try:
            with writing(home.engine) as connection:
                where = link.site if about in OURS else ""
                which = measure if about is About.MEASURE and measure in measures_by_id() else ""
                raise_issue(
                    connection, about, words, site=where, measure=which, role=FAMILY, by=_who(link), at=home.clock()
                )
        except OperatorError:
            return shown(request, link, wrong=True, written=words)
        return shown(request, link, kept=True)

    return router


@dataclass(frozen=True, slots=True)
class Tried:
    """What is tried because of an issue."""

    what: str
    clinics: int
    better: int | None
    """At how many of them the charts found an improvement; none while that is counted."""


def _tried_for(home: Any, connection: Connection, issues: Collection[str]) -> dict[str, list[Tried]]:
    """By issue, each idea that answers it."""
    found: dict[str, list[Tried]] = {}
    known = measures_by_id()
    for idea in ideas(connection):
        if idea.issue in issues and idea.measure in known:
            rows = tried_of(connection, idea.id)
            better = _better_at(home, connection, known[idea.measure], rows) if rows else 0
            found.setdefault(idea.issue, []).append(Tried(idea.what, len({each.site for each in rows}), better))
    return found


def _better_at(home: Any, connection: Connection, measure: Measure, rows: Sequence[TestTried]) -> int | None:
    try:
        results = results_of(connection, measure, home.network, home.clock(), memory=home.memory)
    except NotCountedError:
        return None
    series = [(each, results.of(each.site)) for each in rows]
    return sum(effect_of(one, each.since, measure).moved is Moved.BETTER for each, one in series if one)


def _seen(connection: Connection, link: Link) -> list[Raised]:
    """One's own, the newest first, then the network's; one's own that was merged into another bears that one's answer."""
    hands = [hand_of(way) for way in ways_of(connection, link)]
    found = issues_seen(connection, (), *hands)
    own = [as_answered(connection, each) for each in found if each.by in hands]
    own.sort(key=lambda each: each.at, reverse=True)
    return own + [each for each in found if each.by not in hands and not each.merged_into]


def _who(link: Link) -> str:
    return hand_of(link.id)
