"""What is proposed about measures, for families: what anybody proposes, what people say to it, what was decided, since when it counts."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Path, Request
from fastapi.responses import HTMLResponse

from schemas.errors import OperatorError
from services.access.viewers import Role
from services.measures.library import measures_by_id
from services.pages.parts import WHOLE, Number, part_of
from services.people.amendments import Amendment, amendment_of, amendments, say, version_of, voices
from services.people.families import Link
from services.people.issues import FAMILY
from services.registry.database import reading, writing
from services.registry.erasure import hand_of

Ident = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
SPEAKERS = {
    FAMILY: "A patient or family",
    Role.CLINICIAN: "A clinician",
    Role.SITE_TEAM: "An improvement team",
    Role.COORDINATOR: "A coordinator",
    Role.RESEARCHER: "A researcher",
}


def routes(home: Any, mine: Any) -> APIRouter:
    """`/proposals`, and `/proposals/<id>`."""
    router = APIRouter(prefix="/proposals")

    def shown(
        request: Request, ident: str, *, kept: bool = False, wrong: bool = False, written: str = "", number: int = 1
    ) -> HTMLResponse:
        with reading(home.engine) as connection:
            found, said = amendment_of(connection, ident), voices(connection, ident)
        if found is None:
            raise HTTPException(404)
        return home.render(  # type: ignore[no-any-return]
            "proposal.html",
            request,
            status=422 if wrong else 200,
            each=found,
            measure=measures_by_id().get(found.measure),
            part=part_of(said[::-1], number, at_once=WHOLE),
            since=since,
            speakers=SPEAKERS,
            kept=kept,
            wrong=wrong,
            written=written,
        )

    @router.get("")
    def page(request: Request, link: Annotated[Link, mine], number: Number = 1) -> HTMLResponse:
        """All, those that are discussed first."""
        with reading(home.engine) as connection:
            found = amendments(connection)
        named = measures_by_id()
        part = part_of([(each, named.get(each.measure)) for each in found], number, at_once=WHOLE)
        return home.render("proposals.html", request, part=part, since=since)  # type: ignore[no-any-return]

    @router.get("/{ident}")
    def one(request: Request, link: Annotated[Link, mine], ident: Ident, number: Number = 1) -> HTMLResponse:
        """One of them; the newest voice first."""
        return shown(request, ident, number=number)

    @router.post("/{ident}")
    def speak(
        request: Request, link: Annotated[Link, mine], ident: Ident, words: Annotated[str, Form()] = ""
    ) -> HTMLResponse:
        """What a family thinks of it."""
        try:
            with writing(home.engine) as connection:
                say(connection, ident, words, role=FAMILY, by=hand_of(link.id), at=home.clock())
        except OperatorError:
            return shown(request, ident, wrong=True, written=words)
        return shown(request, ident, kept=True)

    return router


def since(found: Amendment) -> date | None:
    """From which month on a measure counts as was proposed; none where it does not yet."""
    measure = measures_by_id().get(found.measure)
    change = version_of(found, measure) if measure else None
    return date.fromisoformat(f"{change.since}-01") if change else None
