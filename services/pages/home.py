"""The way in: `/` leads whoever looks to their first page; `/health` tells a monitor that the server answers."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from services.access.declared import open_to_all, seen_by
from services.access.gate import CurrentViewer
from services.access.viewers import EVERYBODY
from services.pages.navigation import entries_for
from services.pages.site import PageSite


def routes(site: PageSite) -> APIRouter:
    """`/` and `/health`."""
    router = APIRouter()

    @router.get("/")
    @seen_by(*EVERYBODY)
    def home(viewer: CurrentViewer) -> RedirectResponse:
        """To the first page of theirs."""
        return RedirectResponse(next(iter(entries_for(viewer))).address)

    @router.get("/health")
    @open_to_all
    def health() -> dict[str, str]:
        """Whether the server answers."""
        return {"status": "ok"}

    return router
