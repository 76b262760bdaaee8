"""Limits on what one address may ask, and on how much it may send."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PER_MINUTE = 1200
"""Requests an address may make; a page with its pictures is a dozen."""
LOG_INS_PER_MINUTE = 30
LARGEST_BODY = 64 * 1024
"""Bytes of a form."""
ADDRESSES = 10_000
"""So many are remembered; the one that was silent longest is forgotten."""


class Buckets:
    """Each address has a bucket that fills evenly and that each request takes from."""

    def __init__(self, per_minute: int, seconds: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._seconds = seconds
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str) -> int:
        """0 where it may ask now; else the seconds until it may."""
        now = self._seconds()
        left, at = self._left.pop(address, (float(self._per_minute), now))
        left = min(self._per_minute, left + (now - at) * self._per_minute / 60)
        allowed = left >= 1
        self._left[address] = (left - 1 if allowed else left, now)
        if len(self._left) > ADDRESSES:
            self._left.popitem(last=False)
        return 0 if allowed else max(1, round((1 - left) * 60 / self._per_minute))


class Limited:
    """Answers 429 to who asks too much and 413 to who sends too much. `few`: path's beginning → requests a minute."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        per_minute: int = PER_MINUTE,
        few: Mapping[str, int] | None = None,
        answer: Callable[[Request, int, str], Response] | None = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app = app
        self._all = Buckets(per_minute, seconds)
        self._few = {start: Buckets(limit, seconds) for start, limit in (few or {}).items()}
        self._answer = answer or (lambda request, status, words: PlainTextResponse(words + "\n", status_code=status))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands on what is within the limits."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if wait := self._wait(scope):
            words = f"Too many requests came from your address. Wait {wait} seconds, then try again."
            answer = self._answer(Request(scope), 429, words)
            answer.headers["Retry-After"] = str(wait)
            await answer(scope, receive, send)
            return
        body = await _whole(scope, receive)
        if body is None:
            await self._answer(Request(scope), 413, "That is more than a form here can hold.")(scope, receive, send)
            return
        await self.app(scope, _replayed(body, receive), send)

    def _wait(self, scope: Scope) -> int:
        address = (scope.get("client") or ("?",))[0]
        few = [bucket for start, bucket in self._few.items() if scope["path"].startswith(start)]
        return max(bucket.wait(address) for bucket in [self._all, *few])


async def _whole(scope: Scope, receive: Receive) -> list[Message] | None:
    """The messages of a request's body; none where it is too large."""
    if scope["method"] in ("GET", "HEAD"):
        return []
    got: list[Message] = []
    size = 0
    while True:
        message = await receive()
        got.append(message)
        size += len(message.get("body", b""))
        if size > LARGEST_BODY:
            return None
        if message["type"] != "http.request" or not message.get("more_body", False):
            return got


def _replayed(body: list[Message], receive: Receive) -> Receive:
    waiting = list(body)

    async def given() -> Message:
        return waiting.pop(0) if waiting else await receive()

    return given
