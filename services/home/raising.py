"""What a family raises, what others raised for everybody, and how soon people of each role are answered."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse

from schemas.errors import OperatorError
from services.access.viewers import Role
from services.people.families import Link
from services.people.issues import FAMILY, About, heard, issues_seen, raise_issue
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

    def shown(request: Request, link: Link, *, kept: bool = False, wrong: bool = False) -> HTMLResponse:
        now = home.clock()
        with reading(home.engine) as connection:
            found = [each for each in issues_seen(connection, (), _who(link)) if not each.merged_into]
            everybodys = issues_seen(connection, None)
        return home.render(  # type: ignore[no-any-return]
            "raise.html",
            request,
            status=422 if wrong else 200,
            kept=kept,
            wrong=wrong,
            abouts=list(ABOUTS.items()),
            found=[(each, each.days(now)) for each in found],
            heard=heard(everybodys, now),
            roles=WHO,
        )

    @router.get("")
    def page(request: Request, link: Annotated[Link, mine]) -> HTMLResponse:
        """One's own, and the network's."""
        return shown(request, link)

    @router.post("")
    def say(
        request: Request,
        link: Annotated[Link, mine],
        about: Annotated[About, Form()] = About.CARE,
        words: Annotated[str, Form()] = "",
    ) -> HTMLResponse:
        """Raises one."""
        try:
            with writing(home.engine) as connection:
                where = link.site if about in OURS else ""
                raise_issue(connection, about, words, site=where, role=FAMILY, by=_who(link), at=home.clock())
        except OperatorError:
            return shown(request, link, wrong=True)
        return shown(request, link, kept=True)

    return router


def _who(link: Link) -> str:
    return hand_of(link.id)
