"""What is proposed about measures: by anybody, often in answer to an issue; discussed by all, decided by a coordinator in their own name,
and done by a version of the definition that names it."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Connection

from services.access.declared import seen_by
from services.access.gate import CurrentViewer
from services.access.viewers import EVERYBODY, Role, Viewer
from services.measures.library import measures_by_id
from services.pages.forms import in_words
from services.pages.issues import ROLES, sees
from services.pages.navigation import Entry
from services.pages.parts import SHORT, WHOLE, Number, part_of
from services.pages.site import PageSite
from services.people.amendments import (
    LONGEST,
    Amendment,
    Decision,
    amendment_of,
    amendments,
    decide,
    promised,
    propose,
    say,
    version_of,
    voices,
)
from services.people.issues import Raised, answer_issue, issue_of

ENTRY = Entry("Proposals", "/proposals", 62, EVERYBODY)
Ident = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
Linked = Annotated[str, Query(pattern=r"^([0-9a-f]{32})?$")]
"""An issue's id, or nothing."""
Words = Annotated[str, Form(max_length=10 * LONGEST)]


def routes(site: PageSite) -> APIRouter:
    """`/proposals`, `/proposals/<id>`, and what is done with one."""
    router = APIRouter(prefix="/proposals")
    _list(router, site)
    _one(router, site)
    _saying(router, site)
    return router


def _list(router: APIRouter, site: PageSite) -> None:
    @router.get("")
    @seen_by(*EVERYBODY)
    def page(
        request: Request, viewer: CurrentViewer, measure: str = "", issue: Linked = "", number: Number = 1
    ) -> HTMLResponse:
        """All, those that are discussed first; and a form."""
        known = measures_by_id()
        with site.registry() as connection:
            found = amendments(connection)
            answers = _issue(connection, viewer, issue)
        return site.render(
            "proposals.html",
            request,
            part=part_of([(each, known.get(each.measure), _version(each)) for each in found], number, at_once=SHORT),
            newest=found[0] if found else None,
            waiting=sum(each.decision is None for each in found),
            promised=len(promised(found, known)),
            measures=list(known.values()),
            measure=measure,
            issue=answers,
            roles=ROLES,
            longest=LONGEST,
            now=site.clock(),
        )

    @router.post("")
    @seen_by(*EVERYBODY)
    def new(
        viewer: CurrentViewer,
        measure: Annotated[str, Form()],
        change: Words,
        why: Words,
        issue: Annotated[str, Form()] = "",
    ) -> RedirectResponse:
        """Proposes one."""
        if (about := measures_by_id().get(measure)) is None:
            raise HTTPException(422, "There is no such measure.")
        with in_words(), site.saying() as connection:
            answers = _issue(connection, viewer, issue)
            named = answers.id if answers else ""
            ident = propose(
                connection, about, change, why, issue=named, role=viewer.speaks_as, by=viewer.id, at=site.clock()
            )
        return RedirectResponse(f"/proposals/{ident}", 303)


def _one(router: APIRouter, site: PageSite) -> None:
    @router.get("/{ident}")
    @seen_by(*EVERYBODY)
    def page(request: Request, viewer: CurrentViewer, ident: Ident, number: Number = 1) -> HTMLResponse:
        """One of them, what people say to it, the newest first, what was decided, and in which version it is."""
        with site.registry() as connection:
            found, said = _named(connection, ident), voices(connection, ident)
            answers = _issue(connection, viewer, found.issue)
        heard = {each.role for each in said} | {found.role}
        return site.render(
            "proposal.html",
            request,
            each=found,
            measure=measures_by_id().get(found.measure),
            version=_version(found),
            issue=answers,
            part=part_of(said[::-1], number, at_once=WHOLE),
            unheard=[words for role, words in ROLES.items() if role not in heard],
            roles=ROLES,
            may_decide=Role.COORDINATOR in viewer.roles and found.by != viewer.id,
            longest=LONGEST,
            now=site.clock(),
        )


def _saying(router: APIRouter, site: PageSite) -> None:
    @router.post("/{ident}/say")
    @seen_by(*EVERYBODY)
    def speak(viewer: CurrentViewer, ident: Ident, words: Words) -> RedirectResponse:
        """What somebody thinks of it."""
        with in_words(), site.saying() as connection:
            _named(connection, ident)
            say(connection, ident, words, role=viewer.speaks_as, by=viewer.id, at=site.clock())
        return RedirectResponse(f"/proposals/{ident}#list", 303)

    @router.post("/{ident}/decide")
    @seen_by(Role.COORDINATOR)
    def settle(
        viewer: CurrentViewer, ident: Ident, decision: Annotated[Decision, Form()], reason: Words
    ) -> RedirectResponse:
        """Decides it by name; an issue that it answers and that still waits is answered by that."""
        with in_words(), site.saying() as connection:
            found = _named(connection, ident)
            decide(connection, ident, decision, reason, name=viewer.name, by=viewer.id, at=site.clock())
            raised = issue_of(connection, found.issue) if found.issue else None
            if raised is not None and raised.open and raised.by != viewer.id:
                words = f"{'Yes' if decision is Decision.ACCEPTED else 'No'}: {reason.strip()}"[:LONGEST]
                answer_issue(connection, raised.id, words, role=Role.COORDINATOR, by=viewer.id, at=site.clock())
        return RedirectResponse(f"/proposals/{ident}", 303)


def _version(found: Amendment) -> str:
    """The version that it is in; empty where it is in none."""
    measure = measures_by_id().get(found.measure)
    change = version_of(found, measure) if measure else None
    return change.version if change else ""


def _named(connection: Connection, ident: str) -> Amendment:
    found = amendment_of(connection, ident)
    if found is None:
        raise HTTPException(404, "There is no such proposal.")
    return found


def _issue(connection: Connection, viewer: Viewer, ident: str) -> Raised | None:
    """The issue, where it is theirs to see."""
    found = issue_of(connection, ident) if ident else None
    return found if found is not None and sees(viewer, found) else None
