"""The clinician's list: a site's patients by risk or by what is overdue."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from schemas.sites import SITE_PATTERN
from services.access.declared import seen_by
from services.access.gate import CurrentViewer
from services.access.viewers import NO_SITE, Role, Viewer
from services.pages.navigation import Entry
from services.pages.patient_state import DISEASES
from services.pages.population import Listed, Order, Population, population_of
from services.pages.remembered import Remembered
from services.pages.site import PageSite
from services.registry.completeness import SiteCompleteness, completeness

ENTRY = Entry("Patients", "/patients", 10, (Role.CLINICIAN,))
PAGE = 50
SiteName = Annotated[str, Path(pattern=SITE_PATTERN)]


def routes(site: PageSite) -> APIRouter:
    """`/patients` and `/patients/<site>`."""
    router = APIRouter()
    populations: Remembered[Population] = Remembered()

    def read(name: str) -> Population:
        with site.registry() as connection:
            return population_of(connection, name, site.clock().date())

    @router.get("/patients")
    @seen_by(Role.CLINICIAN)
    def first(request: Request, viewer: CurrentViewer) -> Response:
        """To the list of their site, or of which they choose."""
        if len(viewer.sites) == 1:
            return RedirectResponse(f"/patients/{next(iter(viewer.sites))}", 303)
        return site.render("patient_sites.html", request, sites=sorted(viewer.sites), as_of=None)

    @router.get("/patients/{site}")
    @seen_by(Role.CLINICIAN, persons=True)
    def page(
        request: Request,
        viewer: CurrentViewer,
        name: Annotated[str, Path(alias="site", pattern=SITE_PATTERN)],
        order: Order = "risk",
        disease: str = "",
        page: Annotated[int, Query(ge=1, le=10_000)] = 1,
    ) -> HTMLResponse:
        """The list."""
        own_site(viewer, name)
        known = populations.of(name, lambda: read(name))
        found = known.in_order(order, disease)
        shown = found[(page - 1) * PAGE : page * PAGE]
        _noted(site, viewer, request, name, shown)
        return site.render(
            "patients.html",
            request,
            site=name,
            brought=brought_by(site, name),
            known=known,
            found=found,
            shown=shown,
            order=order,
            disease=disease,
            conditions=[each.name for each in DISEASES],
            page=page,
            pages=max(1, -(-len(found) // PAGE)),
        )

    return router


def _noted(site: PageSite, viewer: Viewer, request: Request, name: str, shown: Sequence[Listed]) -> None:
    """Whom the page shows, before it does."""
    path = request.scope["route"].path
    site.gate.views.note("shown", viewer, path, site=name, subjects=[each.subject for each in shown])


def own_site(viewer: Viewer, name: str) -> None:
    """Raises the answer that there is none where its patients are not theirs to see: whether there is one is not told."""
    if not viewer.sees_persons(name):
        raise HTTPException(404, NO_SITE)


def brought_by(site: PageSite, name: str) -> SiteCompleteness | None:
    """What a site brought, and when."""
    with site.registry() as connection:
        return next((each for each in completeness(connection) if each.site == name), None)
