"""The way in: `/` leads to the first measure; `/health` tells a monitor that the server answers."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from services.measures.library import measures
from services.pages.site import PageSite


def routes(site: PageSite) -> APIRouter:
    """`/` and `/health`."""
    router = APIRouter()

    @router.get("/")
    def home() -> RedirectResponse:
        """To the first measure."""
        return RedirectResponse(f"/measures/{next(iter(measures()))}")

    @router.get("/health")
    def health() -> dict[str, str]:
        """Whether the server answers."""
        return {"status": "ok"}

    return router
