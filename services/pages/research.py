"""Researchers: how many a cohort would have; extracts asked for, approved by each site for its own, their results told. All see all."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from services.access.declared import seen_by
from services.access.gate import CurrentViewer
from services.access.viewers import EVERYBODY, NOT_YOURS, Role, Viewer
from services.pages.forms import in_words
from services.pages.navigation import Entry
from services.pages.parts import WHOLE, Number, part_of
from services.pages.site import PageSite
from services.pages.wording import title_of
from services.research.counting import BUDGET, MOST, WINDOW, Answer, count
from services.research.requests import FORMS, LONGEST, TIERS, answer, ask, requests, tell_result

ENTRY = Entry("Research", "/research", 55, EVERYBODY)
ASKING = (Role.RESEARCHER, Role.COORDINATOR)
Ident = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
Words = Annotated[str, Form(min_length=1, max_length=LONGEST)]
Codes = Annotated[str, Form(max_length=500)]


def routes(site: PageSite) -> APIRouter:
    """`/research`, and what is done there."""
    router = APIRouter(prefix="/research")
    _page(router, site)
    _asking(router, site)
    _answering(router, site)
    return router


def _shown(
    site: PageSite, request: Request, viewer: Viewer, found: Answer | None = None, codes: str = "", number: int = 1
) -> HTMLResponse:
    with site.registry() as connection:
        asked = requests(connection)
    mine = sorted(viewer.sites) if Role.SITE_TEAM in viewer.roles else []
    return site.render(
        "research.html",
        request,
        found=found,
        codes=codes,
        asked=len(asked),
        part=part_of([(each, dict(each.answers)) for each in asked], number, at_once=WHOLE),
        mine=[(name, title_of(name)) for name in mine],
        may_ask=bool(viewer.roles & set(ASKING)),
        me=viewer.id,
        forms=FORMS,
        tiers=TIERS,
        longest=LONGEST,
        budget=BUDGET,
        days=WINDOW.days,
        most=MOST,
        now=site.clock(),
    )


def _page(router: APIRouter, site: PageSite) -> None:
    @router.get("")
    @seen_by(*EVERYBODY)
    def page(request: Request, viewer: CurrentViewer, number: Number = 1) -> HTMLResponse:
        """What is asked for, by whom it is approved, what came of it."""
        return _shown(site, request, viewer, number=number)

    @router.post("/count")
    @seen_by(*ASKING)
    def how_many(request: Request, viewer: CurrentViewer, codes: Codes) -> HTMLResponse:
        """How many persons a cohort has."""
        with in_words(), site.saying() as connection:
            found = count(connection, codes.split(), by=viewer.id, at=site.clock())
        return _shown(site, request, viewer, found, codes)


def _asking(router: APIRouter, site: PageSite) -> None:
    @router.post("")
    @seen_by(*ASKING)
    def request_one(
        viewer: CurrentViewer,
        form: Annotated[str, Form()],
        tier: Annotated[int, Form()],
        purpose: Words,
        codes: Codes = "",
    ) -> RedirectResponse:
        """Asks for an extract."""
        with in_words(), site.saying() as connection:
            ask(connection, form, tier, codes.split(), purpose, by=viewer.id, at=site.clock())
        return RedirectResponse("/research#list", 303)

    @router.post("/{ident}/result")
    @seen_by(*ASKING)
    def result(viewer: CurrentViewer, ident: Ident, words: Words) -> RedirectResponse:
        """What came of it, for those whose data it was."""
        with in_words(), site.saying() as connection:
            tell_result(connection, ident, words, by=viewer.id)
        return RedirectResponse("/research#list", 303)


def _answering(router: APIRouter, site: PageSite) -> None:
    @router.post("/{ident}/answer")
    @seen_by(Role.SITE_TEAM)
    def decide(
        viewer: CurrentViewer, ident: Ident, where: Annotated[str, Form()], yes: Annotated[bool, Form()]
    ) -> RedirectResponse:
        """A site's answer for its own patients."""
        if where not in viewer.sites:
            raise HTTPException(404, NOT_YOURS)
        with in_words(), site.saying() as connection:
            answer(connection, ident, where, yes=yes, by=viewer.name, at=site.clock())
        return RedirectResponse("/research#list", 303)
