"""What clinicians say is wrong, for the site's team: what it is, where to look, and its answer; as CSV for whoever mends the feed."""

import csv
import io
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Path, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from schemas.errors import OperatorError
from schemas.sites import SITE_PATTERN
from services.access.declared import seen_by
from services.access.gate import CurrentViewer
from services.access.viewers import NO_SITE, Role, Viewer
from services.pages.forms import told
from services.pages.navigation import Entry
from services.pages.parts import SHORT, Number, part_of
from services.pages.patients import brought_by
from services.pages.site import PageSite
from services.people.contests import Answer, Contest, answer_contest, contests
from services.registry.database import writing

ENTRY = Entry("Contested", "/contested", 40, (Role.SITE_TEAM,))
SiteName = Annotated[str, Path(alias="site", pattern=SITE_PATTERN)]
Ident = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
COLUMNS = ("type", "record", "reason", "at", "answer", "answered")


def routes(site: PageSite) -> APIRouter:
    """`/contested`, `/contested/<site>`, its `lines.csv`, and the answers."""
    router = APIRouter(prefix="/contested")

    def found(viewer: Viewer, name: str) -> list[Contest]:
        _own(viewer, name)
        with site.registry() as connection:
            return contests(connection, name)

    @router.get("")
    @seen_by(Role.SITE_TEAM)
    def first(viewer: CurrentViewer) -> Response:
        """To the list of their first site."""
        if not viewer.sites:
            raise HTTPException(404, "There is no site of yours.")
        return RedirectResponse(f"/contested/{min(viewer.sites)}", 303)

    @router.get("/{site}")
    @seen_by(Role.SITE_TEAM, persons=True)
    def page(request: Request, viewer: CurrentViewer, name: SiteName, number: Number = 1) -> HTMLResponse:
        """The list."""
        contested = found(viewer, name)
        return site.render(
            "contested.html",
            request,
            site=name,
            brought=brought_by(site, name),
            contested=len(contested),
            waiting=sum(each.answer is None for each in contested),
            part=part_of(contested, number, at_once=SHORT),
            answers=list(Answer),
            sites=sorted(viewer.sites),
        )

    @router.get("/{site}/lines.csv")
    @seen_by(Role.SITE_TEAM, persons=True)
    def lines(viewer: CurrentViewer, name: SiteName) -> Response:
        """The same as CSV: a record's id is found at the site, where its source is known."""
        return Response(_csv(found(viewer, name)), media_type="text/csv; charset=utf-8")

    @router.post("/{site}/{ident}")
    @seen_by(Role.SITE_TEAM)
    def answer(
        viewer: CurrentViewer, name: SiteName, ident: Ident, answer: Annotated[Answer, Form()]
    ) -> RedirectResponse:
        """The site's answer; the clinician sees it at the record."""
        _own(viewer, name)
        try:
            with writing(site.engine) as connection:
                answer_contest(connection, name, ident, answer, by=viewer.name, at=site.clock())
        except OperatorError as exc:
            raise HTTPException(409, told(exc)) from None
        return RedirectResponse(f"/contested/{name}", 303)

    return router


def _own(viewer: Viewer, name: str) -> None:
    if not viewer.sees(name):
        raise HTTPException(404, NO_SITE)


def _csv(found: list[Contest]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in found:
        writer.writerow([getattr(each, column) or "" for column in COLUMNS])
    return out.getvalue()
