"""The feedback pages as one application: every page of this folder behind the gate, answers to wrong addresses in words,
headers that keep all else out."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, RedirectResponse
from sqlalchemy import Engine
from starlette.exceptions import HTTPException

import services.pages
from schemas.errors import MainstemError
from services.access.bearer import bearer_of
from services.access.declared import demand_declarations
from services.access.demo import DemoEntrance, OnlyHere
from services.access.gate import READING, Gate, NobodyError
from services.access.limits import LOG_INS_PER_MINUTE, PER_MINUTE, Limited
from services.access.login import SessionEntrance
from services.pages.counted import AGAIN_SECONDS, NotCountedError
from services.pages.entering import LOG_IN
from services.pages.site import PageSite
from services.pages.warming import warmed
from services.people.voices import Form
from services.serving import HEADERS, HeadAnswered, LineEndsAsTyped, Secured

OWN = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""A page takes scripts, styles and pictures of this server, and sends its forms to it."""


def make_app(
    engine: Engine,
    *,
    network: str,
    gate: Gate,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    per_minute: int = PER_MINUTE,
    warm: bool = False,
    home_address: str = "",
    age_policy: Path | None = None,
    own_form: Form | None = None,
) -> FastAPI:
    """The pages of one network's registry. `network` is shown as it is; `warm`: measures are counted before anybody asks.
    Raises UndeclaredError where a route does not say who may see it."""
    site = PageSite(engine, network, clock, gate, home_address=home_address, age_policy=age_policy, own_form=own_form)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with warmed(site) if warm else nullcontext():
            yield

    app = FastAPI(
        title="Mainstem feedback",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(gate)],
        lifespan=lifespan,
    )
    for router in routers(site):
        app.include_router(router)
    demand_declarations(app.routes)
    _answer_in_words(app, site)
    _guard(app, site, per_minute)
    return app


def routers(site: PageSite) -> Iterator[APIRouter]:
    """Of every file of this folder that has `routes`: to add a page is to add a file."""
    for module in iter_modules(services.pages.__path__):
        page = import_module(f"{services.pages.__name__}.{module.name}")
        if routes := getattr(page, "routes", None):
            yield routes(site)


def _guard(app: FastAPI, site: PageSite, per_minute: int) -> None:
    """What stands before every page, the innermost first."""

    def sorry(request: Request, status: int, words: str) -> Response:
        return _told(site, request, status, words)

    app.add_middleware(Limited, per_minute=per_minute, few={LOG_IN: LOG_INS_PER_MINUTE}, answer=sorry)
    if isinstance(site.gate.entrance, DemoEntrance):
        app.add_middleware(OnlyHere)
    headers = HEADERS | {"Content-Security-Policy": OWN}
    if isinstance(site.gate.entrance, SessionEntrance) and site.gate.entrance.secure:
        headers |= {"Strict-Transport-Security": "max-age=31536000"}
    app.add_middleware(Secured, headers=headers, sorry=lambda request: sorry(request, 500, DEFECT))
    app.add_middleware(HeadAnswered)
    app.add_middleware(LineEndsAsTyped)


def _answer_in_words(app: FastAPI, site: PageSite) -> None:
    """What goes wrong is answered by a page that says what to do."""

    def answer(request: Request, status: int, words: str) -> Response:
        if not hasattr(request.state, "visit"):  # no route was found, so the gate was not asked
            request.state.visit = site.gate.entrance.visit(request.cookies)
        return _told(site, request, status, words)

    @app.exception_handler(NobodyError)
    def nobody(request: Request, exc: NobodyError) -> Response:
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if request.method in READING and isinstance(site.gate.entrance, SessionEntrance):
            return RedirectResponse(f"{LOG_IN}?{urlencode({'to': asked})}", 303)
        return answer(request, 401, exc.detail)

    @app.exception_handler(HTTPException)
    def refused(request: Request, exc: HTTPException) -> Response:
        told = answer(request, exc.status_code, WORDS.get(exc.detail, exc.detail))
        told.headers.update(exc.headers or {})
        return told

    @app.exception_handler(RequestValidationError)
    def misspelt(request: Request, exc: RequestValidationError) -> Response:
        if request.method in READING:
            return answer(request, 404, NO_PAGE)
        return answer(
            request, 422, "Something of the form was left out or cannot be. Open the page again and fill it in."
        )

    @app.exception_handler(MainstemError)
    def failed(request: Request, exc: MainstemError) -> Response:
        request.state.visit = getattr(request.state, "visit", None)
        return answer(request, 503, f"{exc.cause}. {exc.fix}")

    @app.exception_handler(NotCountedError)
    def not_yet(request: Request, exc: NotCountedError) -> Response:
        told = _told(site, request, 503, f"{exc.cause[0].upper()}{exc.cause[1:]}. {exc.fix}", "Still counting")
        told.headers["Retry-After"] = str(AGAIN_SECONDS)
        return told


def _told(site: PageSite, request: Request, status: int, words: str, title: str = "") -> Response:
    """A page for a browser, a line for a script."""
    if bearer_of(request) is not None:
        return PlainTextResponse(f"{words}\n", status_code=status)
    return site.render(
        "error.html",
        request,
        status=status,
        again=status == 503 and request.method in READING,
        title=title or TITLES.get(status, NOT_HERE),
        words_said=words,
    )


NO_PAGE = "There is no page at this address."
NOT_HERE = "There is nothing here"
DEFECT = "This is a defect of Mainstem; its log says where."
WORDS = {"Not Found": NO_PAGE, "Method Not Allowed": "It takes no input."}
"""The framework's words in ours."""
TITLES = {
    401: "Nobody is logged in",
    403: "This is not for you to see",
    409: "That was done already",
    405: "This page is only read",
    413: "That is too much",
    422: "Nothing was noted",
    429: "Too many requests",
    500: "Something went wrong",
    503: "The data cannot be read now",
}
"""By status; every other is that there is nothing here."""
