"""The list of the network's measures, each with its last result in a sentence."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.access.declared import seen_by
from services.access.gate import CurrentViewer
from services.access.viewers import EVERYBODY
from services.measures.library import measures
from services.pages.navigation import Entry
from services.pages.seeing import seen_by_viewer
from services.pages.site import PageSite

ENTRY = Entry("Measures", "/measures", 20, EVERYBODY)


def routes(site: PageSite) -> APIRouter:
    """`/measures`."""
    router = APIRouter()

    @router.get("/measures")
    @seen_by(*EVERYBODY)
    def page(request: Request, viewer: CurrentViewer) -> HTMLResponse:
        """Every measure."""
        with site.registry() as connection:
            found = [seen_by_viewer(site.results(connection, measure), viewer) for measure in measures().values()]
        as_of = max(results.as_of for results in found)
        return site.render("measures.html", request, found=found, as_of=as_of)

    return router
