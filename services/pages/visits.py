"""A day's visits for the clinician: each patient's pre-visit plan on one page, printable, and as PDF."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from schemas.errors import OperatorError
from schemas.sites import SITE_PATTERN
from services.access.declared import seen_by
from services.access.gate import CurrentViewer
from services.access.viewers import Role, Viewer
from services.pages.navigation import Entry
from services.pages.patient_records import appointments, kept_of, next_day
from services.pages.patient_state import Kept, overdue, standing_out
from services.pages.patients import brought_by, own_site
from services.pages.person import Stated, states_of
from services.pages.print.making import as_of
from services.pages.print.plan import Plans, drawn_of, raised_of, who_of
from services.pages.site import PageSite

ENTRY = Entry("Visits", "/visits", 12, (Role.CLINICIAN,))
SiteName = Annotated[str, Path(alias="site", pattern=SITE_PATTERN)]


@dataclass(frozen=True, slots=True)
class Planned:
    """One booked patient."""

    subject: str
    time: str
    who: str
    out: tuple[str, ...]
    overdue: tuple[str, ...]
    agenda: tuple[str, ...]
    states: tuple[Stated, ...]
    curves: tuple[tuple[str, str, str], ...]
    """Name, caption, what it shows."""


def routes(site: PageSite) -> APIRouter:
    """`/visits`, `/visits/<site>/<day>` and its `plan.pdf`."""
    router = APIRouter(prefix="/visits")
    _chosen(router, site)
    _day(router, site)
    return router


def _chosen(router: APIRouter, site: PageSite) -> None:
    @router.get("")
    @seen_by(Role.CLINICIAN)
    def first(viewer: CurrentViewer) -> Response:
        """To the next day for which somebody is booked at their first site; to today where nobody is."""
        if not viewer.sites:
            raise HTTPException(404, "There is no site of yours.")
        name, today = min(viewer.sites), site.clock().date()
        with site.registry() as connection:
            day = next_day(connection, name, today)
        return RedirectResponse(f"/visits/{name}/{day or today}", 303)


def _day(router: APIRouter, site: PageSite) -> None:
    @router.get("/{site}/{day}")
    @seen_by(Role.CLINICIAN, persons=True)
    def page(request: Request, viewer: CurrentViewer, name: SiteName, day: date) -> HTMLResponse:
        """The day."""
        own_site(viewer, name)
        with site.registry() as connection:
            booked = appointments(connection, name, day)
            kept = kept_of(connection, name, [subject for subject, _ in booked])
            plans = [
                _planned(kept[subject], time, day, states_of(connection, name, subject))
                for subject, time in booked
                if subject in kept
            ]
            following = next_day(connection, name, date.fromordinal(day.toordinal() + 1))
        _noted(site, viewer, request, name, [each.subject for each in plans])
        return site.render(
            "visits.html",
            request,
            site=name,
            sites=sorted(viewer.sites),
            brought=brought_by(site, name),
            day=day,
            following=following,
            plans=plans,
            unknown=len(booked) - len(plans),
        )

    @router.get("/{site}/{day}/plan.pdf")
    @seen_by(Role.CLINICIAN, persons=True)
    def paper(request: Request, viewer: CurrentViewer, name: SiteName, day: date) -> Response:
        """The same as PDF."""
        own_site(viewer, name)
        try:
            with site.registry() as connection:
                made = as_of(connection, name)
                plans = Plans(connection, network=site.network, site=name, day=day, made=made)
        except OperatorError:
            raise HTTPException(404, "Nobody is booked that day.") from None
        _noted(site, viewer, request, name, plans.subjects)
        return Response(plans.pdf(), media_type="application/pdf")


def _noted(site: PageSite, viewer: Viewer, request: Request, name: str, subjects: list[str] | tuple[str, ...]) -> None:
    site.gate.views.note("shown", viewer, request.scope["route"].path, site=name, subjects=subjects)


def _planned(kept: Kept, time: str, day: date, states: list[Stated]) -> Planned:
    return Planned(
        kept.subject,
        time,
        who_of(kept, day),
        tuple(standing_out(kept)),
        tuple(overdue(kept, day)),
        tuple(raised_of(kept)),
        tuple(states),
        tuple((each.name, each.caption, each.said) for each in drawn_of(kept)),
    )
