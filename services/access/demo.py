"""The demo's entrance: whoever looks chooses a role. Only where the demo's setting says so, and only on loopback."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from schemas.errors import OperatorError
from services.access.entrance import Visit
from services.access.viewers import Role, Viewer

COOKIE = "mainstem-demo-role"
HANDED_ON = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""Headers by which a proxy says for whom it asks."""


class DemoEntrance:
    """Everybody is the coordinator until they choose otherwise; `site` is whose team and clinicians they may be."""

    def __init__(self, site: str) -> None:
        self.site = site
        self._key = secrets.token_bytes(32)

    def visit(self, cookies: Mapping[str, str]) -> Visit:
        """By the role that was chosen."""
        said = cookies.get(COOKIE, "")
        role = Role(said) if said in set(Role) else Role.COORDINATOR
        sites = frozenset({self.site} if role.of_a_site else ())
        viewer = Viewer(f"demo/{role}", "Demo", frozenset({role}), sites)
        return Visit(viewer, hmac.new(self._key, role.encode(), hashlib.sha256).hexdigest())


def demand_loopback(host: str) -> None:
    """Raises OperatorError where the demo's switch would answer to anybody but this machine."""
    if host != "localhost" and not _is_loopback(host):
        raise OperatorError(
            f"MAINSTEM_DEMO_ROLES lets whoever asks choose a role, and {host} is not loopback",
            "Unset MAINSTEM_DEMO_ROLES and set a log-in (MAINSTEM_OIDC_ISSUER), or bind --host 127.0.0.1.",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class OnlyHere:
    """Answers only what comes from this machine, through nobody: whatever is bound, and whatever stands before it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands on what is asked from loopback and was not handed on by a proxy."""
        if scope["type"] != "http" or _from_here(scope):
            await self.app(scope, receive, send)
            return
        words = "The demo answers only to the machine it runs on: whoever asks may choose a role here.\n"
        await PlainTextResponse(words, status_code=403)(scope, receive, send)


def _from_here(scope: Scope) -> bool:
    headers, client = Headers(scope=scope), scope.get("client")
    return client is not None and _is_loopback(client[0]) and not any(name in headers for name in HANDED_ON)
