"""Coming in and leaving: by the network's log-in, or, in the demo, by a choice of role."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from services.access.claims import RefusedError
from services.access.declared import open_to_all, seen_by
from services.access.demo import COOKIE, DemoEntrance
from services.access.gate import visiting
from services.access.login import SessionEntrance
from services.access.viewers import EVERYBODY, Role
from services.pages.site import PageSite

log = structlog.get_logger(__name__)
LOG_IN = "/login"


def routes(site: PageSite) -> APIRouter:
    """`/login`, `/login/back`, `/logout`, `/left`; in the demo `/demo/role` alone."""
    entrance = site.gate.entrance
    router = APIRouter()
    if isinstance(entrance, SessionEntrance):
        _coming_in(router, site, entrance)
        _leaving(router, site, entrance)
    if isinstance(entrance, DemoEntrance):
        _choosing(router)
    return router


def _coming_in(router: APIRouter, site: PageSite, entrance: SessionEntrance) -> None:
    @router.get(LOG_IN)
    @open_to_all
    def log_in(request: Request, to: str = "/") -> Response:
        """To whoever vouches for our people."""
        address, cookie = entrance.begin(_ours(to), request.cookies)
        answer = RedirectResponse(address, 303)
        cookie.set_on(answer)
        return answer

    @router.get(f"{LOG_IN}/back")
    @open_to_all
    def back(request: Request) -> Response:
        """From there: a new session, or why not."""
        try:
            viewer, to, cookies = entrance.finish(dict(request.query_params), request.cookies)
        except RefusedError as refused:
            log.info("log-in refused", why=refused.cause)
            return site.render("refused.html", request, status=403, refused=refused, log_in=LOG_IN)
        site.gate.views.note("entered", viewer, f"{LOG_IN}/back")
        answer = RedirectResponse(to, 303)
        for cookie in cookies:
            cookie.set_on(answer)
        return answer


def _leaving(router: APIRouter, site: PageSite, entrance: SessionEntrance) -> None:
    @router.post("/logout")
    @seen_by(*EVERYBODY)
    def log_out(request: Request) -> Response:
        """Ends the session here; the one at whoever vouches goes on."""
        site.gate.views.note("left", visiting(request).viewer, "/logout")
        answer = RedirectResponse("/left", 303)
        entrance.leave(request.cookies).set_on(answer)
        return answer

    @router.get("/left")
    @open_to_all
    def left(request: Request) -> Response:
        """Says that it is over."""
        return site.render("left.html", request, issuer=entrance.login.issuer, log_in=LOG_IN)


def _choosing(router: APIRouter) -> None:
    @router.post("/demo/role")
    @seen_by(*EVERYBODY)
    def choose(role: Annotated[Role, Form()]) -> Response:
        """The demo seen as another."""
        answer = RedirectResponse("/", 303)
        answer.set_cookie(COOKIE, role, httponly=True, samesite="strict", path="/")
        return answer


def _ours(to: str) -> str:
    """An address of these pages; what leads elsewhere leads to the first page."""
    return to if to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable() else "/"
