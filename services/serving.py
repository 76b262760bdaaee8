"""How our HTTP services start, answer and tell what they do. Shared by registry and pages; knows neither."""

import re
import socket
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

import structlog
import uvicorn
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.errors import OperatorError
from schemas.showing import host_and_port

log = structlog.get_logger(__name__)
Say = Callable[[str], object]
"""Tells whoever started the service one line."""

NOTHING_ELSE = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; {NOTHING_ELSE}",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""What every answer tells a browser, whatever the answer is: nothing from elsewhere, in no frame, kept nowhere."""
SORRY = JSONResponse({"detail": "This is a defect of Mainstem; its log says where."}, status_code=500)
LOOPBACK = ("localhost", "127.0.0.1", "::1")
HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?")


class Secured:
    """Every answer has the headers; what is not foreseen is answered by a sentence and logged by its kind and place alone."""

    def __init__(
        self,
        app: ASGIApp,
        headers: Mapping[str, str] = HEADERS,
        sorry: Callable[[Request], Response] | None = None,
    ) -> None:
        self.app = app
        self.headers = headers
        self._sorry = sorry or (lambda request: SORRY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Adds what the answer does not say itself."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, with_headers)
        except Exception as exc:  # noqa: BLE001 - the edge: the server would print the error's text, which may hold data
            place = traceback.extract_tb(exc.__traceback__)[-1]
            log.error("defect", kind=type(exc).__name__, file=place.filename, line=place.lineno)
            if not begun:
                await self._sorry_for(scope)(scope, receive, with_headers)

    def _sorry_for(self, scope: Scope) -> Response:
        """In the application's words; in ours where the defect is in them."""
        try:
            return self._sorry(Request(scope))
        except Exception as exc:  # noqa: BLE001 - the same edge
            log.error("defect", kind=type(exc).__name__, file=__file__, line=0)
            return SORRY


class TrustedHosts:
    """Answers only to names the server is known by: a web page elsewhere that had its own name point here reads nothing."""

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        self.app = app
        self.names = frozenset(name.strip("[] ").rstrip(".").lower() for name in (*LOOPBACK, *names))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands on what is asked by a known name."""
        if scope["type"] != "http" or self.knows(Headers(scope=scope).getlist("host")):
            await self.app(scope, receive, send)
            return
        words = "This server does not go by that name. MAINSTEM_TRUSTED_HOSTS lists the names it answers to.\n"
        await Secured(PlainTextResponse(words, status_code=400))(scope, receive, send)

    def knows(self, said: Sequence[str]) -> bool:
        """Whether a request's Host header is one, and names the server."""
        found = HOST.fullmatch(said[0]) if len(said) == 1 else None
        return found is not None and (found[1] or found[2]).rstrip(".").lower() in self.names


class HeadAnswered:
    """Every address that answers GET answers HEAD, by the same headers without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Asks the application as by GET and keeps its body back."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def bodiless(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        asked = {**scope, "method": "GET"}
        await self.app(asked, receive, bodiless)
        scope["route"] = asked.get("route")


class LineEndsAsTyped:
    """Line ends of forms as people typed them: browsers send two signs for each, and a text that fitted its field would be too long."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands on what is sent, each line end one sign, wherever the parts of it were cut."""
        held = b""

        async def typed() -> Message:
            nonlocal held
            message = await receive()
            if message["type"] != "http.request":
                return message
            sent, held = held + message.get("body", b""), b""
            if message.get("more_body") and (cut := _BEGUN.search(sent)):
                sent, held = sent[: cut.start()], cut[0]
            return {**message, "body": _LINE_END.sub(b"%0A", sent)}

        form = scope["type"] == "http" and Headers(scope=scope).get("content-type", "").startswith(FORM)
        await self.app(scope, typed if form else receive, send)


FORM = "application/x-www-form-urlencoded"
_LINE_END = re.compile(rb"%0[Dd]%0[Aa]")
_BEGUN = re.compile(rb"%(0([Dd](%0?)?)?)?\Z")
"""What may go on to be one in the next part."""


class Answer:
    """What is sent in answer to a request, handed on; `status` is the one it says, 500 until it says one."""

    def __init__(self, send: Send) -> None:
        self._send, self.status = send, 500

    async def __call__(self, message: Message) -> None:
        """Hands one message on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


class RequestsLogged:
    """One line of log a request: the route, never the address, which may hold a person's pseudonym."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Logs method, route, status and milliseconds."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, answer = time.perf_counter(), Answer(send)
        try:
            await self.app(scope, receive, answer)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            spent = round((time.perf_counter() - started) * 1000)
            trace = {"trace": scope["trace"]} if "trace" in scope else {}
            log.info("answered", method=scope["method"], route=route, status=answer.status, milliseconds=spent, **trace)


def serve(app: ASGIApp, what: str, *, host: str, port: int, names: Sequence[str], say: Say) -> None:
    """Serves until interrupted; says where as soon as it answers. Port 0 is any free one. Raises OperatorError where the address is taken.

    It answers to `names`, to `host` and to loopback's names.
    """
    listening = bound(host, port)
    address = f"http://{host_and_port(host, listening.getsockname()[1])}"
    guarded = RequestsLogged(TrustedHosts(app, [host, *names]))
    config = uvicorn.Config(guarded, log_level="warning", server_header=False)
    with listening:
        _Announcing(config, lambda: _announce(what, address, say)).run(sockets=[listening])


def _announce(what: str, address: str, say: Say) -> None:
    log.info("serving", what=what, address=address)
    say(f"{what} at {address}")


class _Announcing(uvicorn.Server):
    """Tells when it answers."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, then tells."""
        await super().startup(sockets)
        if self.started:
            self._announce()


def bound(host: str, port: int) -> socket.socket:
    """A socket at an address; OperatorError where that is taken, another machine's, or none at all: no name, a port above 65535."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with ExitStack() as held:
            listening = held.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
            held.pop_all()
    except (OSError, UnicodeError, OverflowError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is no address"
        fix = "Choose another --port or --host, or end what listens there."
        raise OperatorError(f"{host_and_port(host, port)} cannot be listened at: {why}", fix) from exc
    return listening
