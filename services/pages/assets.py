"""Styles and scripts, from this server: nothing is fetched from elsewhere."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files
from threading import Lock, Thread

import vl_convert
from fastapi import APIRouter, FastAPI, HTTPException, Response

from services.access.declared import open_to_all
from services.pages.site import PageSite

STATIC = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}
_bundling = Lock()


def routes(site: PageSite) -> APIRouter:
    """`/static/…`."""
    router = APIRouter(prefix="/static", lifespan=_warm)

    @router.get("/vega.js")
    @open_to_all
    def vega() -> Response:
        """Vega, Vega-Lite and Vega-Embed, from the installed package."""
        return Response(_bundle(), media_type="text/javascript", headers={"Cache-Control": "max-age=86400"})

    @router.get("/{name}")
    @open_to_all
    def static(name: str) -> Response:
        """The pages' style and script."""
        if name not in STATIC:
            raise HTTPException(404, "There is no such file.")
        return Response((files("services.pages") / "static" / name).read_bytes(), media_type=STATIC[name])

    return router


@asynccontextmanager
async def _warm(app: FastAPI) -> AsyncIterator[None]:
    """Bundling takes some seconds: begin with the server, so that the first reader does not wait."""
    Thread(target=_bundle, daemon=True).start()
    yield


def _bundle() -> str:
    with _bundling:
        return _bundled()


@cache
def _bundled() -> str:
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
