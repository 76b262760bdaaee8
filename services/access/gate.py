"""The gate every request passes: who it is, whether the route is theirs, whether a form is theirs, and a line in the log of views."""

import hmac
import re
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from services.access.bearer import BearerError, Bearers, bearer_of
from services.access.declared import Declared, declaration
from services.access.entrance import Entrance, Visit
from services.access.viewers import Viewer
from services.access.views import Views

READING = ("GET", "HEAD", "OPTIONS")
FORM_TOKEN = "form_token"
"""The hidden field every form has."""


class NobodyError(HTTPException):
    """Nobody is logged in."""

    def __init__(self) -> None:
        super().__init__(401, "Log in to see this.")


class Gate:
    """A dependency of the whole application."""

    def __init__(self, entrance: Entrance, views: Views, bearers: Bearers | None = None) -> None:
        self.entrance = entrance
        self.views = views
        self._bearers = bearers

    async def __call__(self, request: Request) -> None:
        """Lets the request pass or raises what answers it: 401, 403. Whoever asks is `request.state.visit` then."""
        visit = await run_in_threadpool(self._visit, request)
        request.state.visit = visit
        declared = declaration(request.scope["route"])
        if declared.roles:
            request.state.visit = _admitted(visit, declared)
        if request.method not in READING:
            await own_form(request, visit)
        if declared.persons and visit is not None:
            await run_in_threadpool(self._noted, request, visit.viewer)

    def _visit(self, request: Request) -> Visit | None:
        """By the token alone where one is sent, whatever cookies come with it: a browser sends none by itself."""
        secret = bearer_of(request)
        if secret is None:
            return self.entrance.visit(request.cookies)
        if request.method not in ("GET", "HEAD"):
            raise BearerError("A token reads only. What is said here is said by people: log in with a browser.", 403)
        if self._bearers is None:
            raise BearerError("No token is taken here.")
        return Visit(self._bearers.viewer(secret), form_token="")

    def _noted(self, request: Request, viewer: Viewer) -> None:
        """Before it is shown: what cannot be noted is not shown."""
        path = request.scope["route"].path
        self.views.note("asked", viewer, path, site=request.path_params.get("site"), subjects=_subject(request))


def _subject(request: Request) -> list[str]:
    return [request.path_params["subject"]] if "subject" in request.path_params else []


def _admitted(visit: Visit | None, declared: Declared) -> Visit:
    if visit is None:
        raise NobodyError
    if not visit.viewer.roles & declared.roles:
        raise HTTPException(403, f"It is for: {', '.join(sorted(role.words for role in declared.roles))}.")
    return visit


async def own_form(request: Request, visit: Visit | None) -> None:
    """Refuses what another page had a browser send: by the browser's word where it gives one, and by the form's token always."""
    if not _from_our_page(request):
        raise HTTPException(
            403, "This form was sent from another page than ours. Open the page again and send it from there."
        )
    form = await request.form()
    given = form.get(FORM_TOKEN)
    if (
        visit is None
        or not isinstance(given, str)
        or not hmac.compare_digest(given.encode(), visit.form_token.encode())
    ):
        raise HTTPException(403, "This form is no longer valid. Open the page again and send it from there.")
    if any(_UNWRITTEN.search(value) for _, value in form.multi_items() if isinstance(value, str)):
        raise HTTPException(422, "A field holds signs that nobody types. Open the page again and write it anew.")


_UNWRITTEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What steers a terminal or turns writing round; PostgreSQL takes no NUL in a text."""


def _from_our_page(request: Request) -> bool:
    """By the browser's word on where it comes from; by the origin where it gives none (it is null under no-referrer)."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site == "same-origin"
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def visiting(request: Request) -> Visit:
    """Whoever looks, behind the gate."""
    visit = getattr(request.state, "visit", None)
    if not isinstance(visit, Visit):
        raise NobodyError
    return visit


async def _form(request: Request) -> FormData:
    return await request.form()


Filled = Annotated[FormData, Depends(_form)]
"""An endpoint's argument: all that was filled in, where a field may stand several times."""


def _viewer(request: Request) -> Viewer:
    return visiting(request).viewer


CurrentViewer = Annotated[Viewer, Depends(_viewer)]
"""An endpoint's argument: whoever looks."""
