"""The feedback pages as one application: every page of this folder, answers to wrong addresses in words, headers that keep all else out."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import import_module
from pkgutil import iter_modules

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy import Engine
from starlette.exceptions import HTTPException

import services.pages
from schemas.errors import MainstemError
from services.measures.library import measures
from services.pages.site import PageSite
from services.serving import HEADERS, NOTHING_ELSE, HeadAnswered, Secured

OWN = f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; {NOTHING_ELSE}"
"""A page takes scripts, styles and pictures of this server."""


def make_app(engine: Engine, *, network: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> FastAPI:
    """The pages of one network's registry. `network` is shown as it is."""
    app = FastAPI(title="Mainstem feedback", docs_url=None, redoc_url=None, openapi_url=None)
    site = PageSite(engine, network, clock)
    for router in routers(site):
        app.include_router(router)
    _answer_in_words(app, site)

    app.add_middleware(Secured, headers=HEADERS | {"Content-Security-Policy": OWN})
    app.add_middleware(HeadAnswered)
    return app


def routers(site: PageSite) -> Iterator[APIRouter]:
    """Of every file of this folder that has `routes`: to add a page is to add a file."""
    for module in iter_modules(services.pages.__path__):
        page = import_module(f"{services.pages.__name__}.{module.name}")
        if routes := getattr(page, "routes", None):
            yield routes(site)


def _answer_in_words(app: FastAPI, site: PageSite) -> None:
    """What goes wrong is answered by a page that says what to do."""

    def answer(status: int, title: str, words: str) -> Response:
        return site.render("error.html", status=status, title=title, words=words, measures=measures())

    @app.exception_handler(HTTPException)
    async def refused(request: Request, exc: HTTPException) -> Response:
        if exc.status_code == 405:
            return answer(405, "This page is only read", "It takes no input.")
        return answer(exc.status_code, "There is nothing here", WORDS.get(exc.detail, exc.detail))

    @app.exception_handler(RequestValidationError)
    async def misspelt(request: Request, exc: RequestValidationError) -> Response:
        return answer(404, "There is nothing here", NO_PAGE)

    @app.exception_handler(MainstemError)
    async def failed(request: Request, exc: MainstemError) -> Response:
        return answer(503, "The registry cannot be read now", f"{exc.cause}. {exc.fix}")


NO_PAGE = "There is no page at this address."
WORDS = {"Not Found": NO_PAGE}
"""The framework's words in ours."""
