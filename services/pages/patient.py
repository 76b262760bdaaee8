"""A patient's page: what is known, what to do, and down from every number to its records; a record that is wrong is contested."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Path, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from schemas.sites import SITE_PATTERN
from services.access.declared import seen_by
from services.access.gate import CurrentViewer
from services.access.viewers import Role
from services.charts.pictures import svg
from services.measures.evaluate.aside import asides
from services.measures.library import measures
from services.pages.aside import choices
from services.pages.patient_records import kept_of
from services.pages.patient_state import age, diseases, overdue, standing_out
from services.pages.patients import brought_by, own_site
from services.pages.person import held_of, history_of, states_of
from services.pages.print.plan import drawn_of
from services.pages.site import PageSite
from services.people.contests import ContestReason, contests, raise_contest
from services.registry.database import writing

SiteName = Annotated[str, Path(alias="site", pattern=SITE_PATTERN)]
Subject = Annotated[str, Path(pattern=r"^s-[0-9a-f]{32}$")]
Record = Annotated[str, Path(pattern=r"^r-[0-9a-f]{32}$")]
CurveName = Annotated[str, Path(pattern=r"^[a-z0-9]{1,20}$")]
NO_PATIENT = "There is no such patient of yours."


def routes(site: PageSite) -> APIRouter:
    """`/patients/<site>/<subject>`, and `/records/<id>` below it."""
    router = APIRouter(prefix="/patients/{site}/{subject}")
    _patient(router, site)
    _record(router, site)
    return router


def _patient(router: APIRouter, site: PageSite) -> None:
    @router.get("")
    @seen_by(Role.CLINICIAN, persons=True)
    def page(request: Request, viewer: CurrentViewer, name: SiteName, subject: Subject) -> HTMLResponse:
        """The patient."""
        own_site(viewer, name)
        today = site.clock().date()
        with site.registry() as connection:
            kept = kept_of(connection, name, [subject]).get(subject)
            if kept is None:
                raise HTTPException(404, NO_PATIENT)
            states, held = states_of(connection, name, subject), list(held_of(connection, name, subject))
            aside = [each for each in asides(connection, name, subject) if not each.over(today)]
        return site.render(
            "patient.html",
            request,
            site=name,
            brought=brought_by(site, name),
            kept=kept,
            years=age(kept, today),
            conditions=diseases(kept),
            out=list(standing_out(kept)),
            late=list(overdue(kept, today)),
            states=states,
            held=held,
            curves=[(each.name, each.caption, each.said) for each in drawn_of(kept)],
            aside=aside,
            titles={each.id: each.title for each in measures().values()},
            today=today,
            **choices(today),
        )

    @router.get("/curves/{curve}.svg")
    @seen_by(Role.CLINICIAN, persons=True)
    def curve(viewer: CurrentViewer, name: SiteName, subject: Subject, curve: CurveName) -> Response:
        """One of the patient's curves as a picture."""
        own_site(viewer, name)
        with site.registry() as connection:
            kept = kept_of(connection, name, [subject]).get(subject)
        drawn = {each.name: each for each in drawn_of(kept)} if kept else {}
        if curve not in drawn:
            raise HTTPException(404, "There is nothing to draw.")
        return Response(svg(drawn[curve].specification()), media_type="image/svg+xml")


def _record(router: APIRouter, site: PageSite) -> None:
    @router.get("/records/{record}")
    @seen_by(Role.CLINICIAN, persons=True)
    def page(request: Request, viewer: CurrentViewer, name: SiteName, subject: Subject, record: Record) -> HTMLResponse:
        """One record: what it says, where it comes from, how it changed."""
        own_site(viewer, name)
        with site.registry() as connection:
            found = history_of(connection, name, subject, record)
            if found is None:
                raise HTTPException(404, "There is no such record of this patient.")
            said = contests(connection, name, record)
        return site.render(
            "record.html",
            request,
            site=name,
            brought=brought_by(site, name),
            subject=subject,
            record=record,
            type=found[0],
            changes=found[1],
            contests=said,
            reasons=list(ContestReason),
        )

    @router.post("/records/{record}")
    @seen_by(Role.CLINICIAN, persons=True)
    def contest(
        viewer: CurrentViewer,
        name: SiteName,
        subject: Subject,
        record: Record,
        reason: Annotated[ContestReason, Form()],
    ) -> RedirectResponse:
        """Says that it is wrong."""
        own_site(viewer, name)
        with writing(site.engine) as connection:
            found = history_of(connection, name, subject, record)
            if found is None:
                raise HTTPException(404, "There is no such record of this patient.")
            raise_contest(connection, name, (found[0], record), reason, by=viewer.name, at=site.clock())
        return RedirectResponse(f"/patients/{name}/{subject}/records/{record}#contested", 303)
