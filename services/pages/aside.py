"""Who a site sets aside from a measure: for a coded reason, until a day, by whom; taken back again. Patients are named to clinicians alone."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Connection

from schemas.errors import OperatorError
from schemas.sites import SITE_PATTERN
from services.access.declared import seen_by
from services.access.gate import CurrentViewer
from services.access.viewers import NO_SITE, Role, Viewer
from services.measures.declared import Measure
from services.measures.evaluate.aside import (
    LONGEST_DAYS,
    Aside,
    SetAsideReason,
    asides,
    put_aside,
    require_person,
    take_one_back,
)
from services.measures.keeping.noting import note_person
from services.measures.library import measures
from services.pages.counting_now import CountingNow, counting_now
from services.pages.forms import in_words
from services.pages.measure import measure_named
from services.pages.navigation import Entry
from services.pages.parts import SHORT, Number, part_of
from services.pages.patients import brought_by
from services.pages.site import PageSite

DECIDING = (Role.SITE_TEAM, Role.CLINICIAN)
ENTRY = Entry("Set aside", "/aside", 42, DECIDING)
USUAL_DAYS = 180
"""So long somebody is set aside where nothing else is filled in."""
SiteName = Annotated[str, Path(alias="site", pattern=SITE_PATTERN)]
OneSaid = Annotated[str, Query(pattern=r"^(x-[0-9a-f]{32})?$")]
Ident = Annotated[str, Path(pattern=r"^x-[0-9a-f]{32}$")]


def routes(site: PageSite) -> APIRouter:
    """`/aside`, `/aside/<site>`, and what is said there."""
    router = APIRouter(prefix="/aside")
    _read(router, site)
    _said(router, site)
    return router


def _read(router: APIRouter, site: PageSite) -> None:
    @router.get("")
    @seen_by(*DECIDING)
    def first(viewer: CurrentViewer) -> Response:
        """To the list of their first site."""
        if not viewer.sites:
            raise HTTPException(404, "There is no site of yours.")
        return RedirectResponse(f"/aside/{min(viewer.sites)}", 303)

    @router.get("/{site}")
    @seen_by(*DECIDING, persons=True)
    def page(
        request: Request, viewer: CurrentViewer, name: SiteName, number: Number = 1, said: OneSaid = ""
    ) -> HTMLResponse:
        """The list; of what was said just now, whether it changes anything yet."""
        _demand(viewer, name)
        today = site.clock().date()
        with site.registry() as connection:
            found = sorted(asides(connection, name), key=lambda each: each.over(today))
            just = _just_said(connection, [each for each in found if each.id == said and not each.over(today)], today)
        part, named = part_of(found, number, at_once=SHORT), viewer.sees_persons(name)
        if named:
            shown = sorted({each.subject for each in part.shown})
            site.gate.views.note("shown", viewer, request.scope["route"].path, site=name, subjects=shown)
        return site.render(
            "aside.html",
            request,
            site=name,
            brought=brought_by(site, name),
            sites=sorted(viewer.sites),
            part=part,
            just=just,
            holding=[each for each in found if not each.over(today)],
            named=named,
            today=today,
            titles={each.id: each.title for each in measures().values()},
            **choices(today),
        )


def choices(today: date) -> dict[str, Any]:
    """What the form lets somebody choose."""
    return {
        "offered": sorted(measures().values(), key=lambda each: each.title),
        "reasons": list(SetAsideReason),
        "until": today + timedelta(days=USUAL_DAYS),
        "longest": today + timedelta(days=LONGEST_DAYS),
    }


def _said(router: APIRouter, site: PageSite) -> None:
    @router.post("/{site}")
    @seen_by(*DECIDING, persons=True)
    def put(
        viewer: CurrentViewer,
        request: Request,
        name: SiteName,
        measure: Annotated[str, Form(pattern=r"^[a-z0-9]{1,40}$")],
        subject: Annotated[str, Form(pattern=r"^\s*s-[0-9a-f]{32}\s*$")],
        reason: Annotated[SetAsideReason, Form()],
        until: Annotated[date, Form()],
    ) -> RedirectResponse:
        """Sets somebody aside from today on."""
        _demand(viewer, name)
        of, whom, now = measure_named(measure), subject.strip(), site.clock()
        site.gate.views.note("asked", viewer, request.scope["route"].path, site=name, subjects=[whom])
        with site.saying() as connection, in_words():
            _demand_meaning(connection, of, whom, name, now.date(), named=viewer.sees_persons(name))
            ident = put_aside(
                connection, of, whom, reason=reason, since=now.date(), until=until, by=viewer.name, at=now, site=name
            )
            note_person(connection, whom)
        return RedirectResponse(f"/aside/{name}?said={ident}#said", 303)

    @router.post("/{site}/{ident}/back")
    @seen_by(*DECIDING, persons=True)
    def back(viewer: CurrentViewer, name: SiteName, ident: Ident) -> RedirectResponse:
        """Takes it back: they count again as if it had never been said."""
        _demand(viewer, name)
        with site.saying() as connection, in_words():
            note_person(connection, take_one_back(connection, name, ident, by=viewer.name, at=site.clock()))
        return RedirectResponse(f"/aside/{name}#list", 303)


def _demand_meaning(
    connection: Connection, measure: Measure, subject: str, site: str, today: date, *, named: bool
) -> None:
    """Raises OperatorError where the measure is not about them: nothing would follow, now or later. Why, a clinician is told."""
    require_person(connection, subject, site)
    found = counting_now(connection, measure, site, subject, today)
    if not found.concerned:
        why = found.why if named else "why, this site's clinicians see"
        raise OperatorError(
            f"{measure.title} does not count this patient ({why}), so there is nothing to set aside",
            "See that measure and pseudonym are the right ones; what is missing in the record is mended in the EHR.",
        )


def _just_said(connection: Connection, said: Sequence[Aside], today: date) -> tuple[Measure, CountingNow] | None:
    """The measure from which somebody was set aside just now, where it did not count them before either."""
    by_id = {each.id: each for each in measures().values()}
    for each in said:
        if each.measure in by_id:
            found = counting_now(connection, by_id[each.measure], each.site, each.subject, today)
            return None if found.counted else (by_id[each.measure], found)
    return None


def _demand(viewer: Viewer, name: str) -> None:
    if not (name in viewer.sites and viewer.sees(name)):
        raise HTTPException(404, NO_SITE)
