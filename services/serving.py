"""How our HTTP services start, answer and tell what they do. Shared by registry and pages; knows neither."""

import socket
import time
from collections.abc import Callable

import structlog
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.errors import OperatorError

log = structlog.get_logger(__name__)
Say = Callable[[str], object]
"""Tells whoever started the service one line."""


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


class RequestsLogged:
    """One line of log a request: the route, never the address, which may hold a person's pseudonym."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Logs method, route, status and milliseconds."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            spent = round((time.perf_counter() - started) * 1000)
            log.info("answered", method=scope["method"], route=route, status=status, milliseconds=spent)


def serve(app: ASGIApp, what: str, *, host: str, port: int, say: Say) -> None:
    """Serves until interrupted; says where as soon as it answers. Port 0 is any free one. Raises OperatorError where the address is taken."""
    listening = _bound(host, port)
    address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
    config = uvicorn.Config(RequestsLogged(app), log_level="warning", server_header=False)
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


def _bound(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as exc:
        raise OperatorError(
            f"{host}:{port} cannot be listened at: {exc.strerror}", "Choose another --port, or end what listens there."
        ) from exc
    return listening
