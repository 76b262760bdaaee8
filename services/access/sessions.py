"""Sessions: what a browser holds is a key alone; who it is stands here, and ends here."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from services.access.database import AccessDatabase, session
from services.access.entrance import Visit
from services.access.viewers import Role, Viewer

IDLE_SECONDS = 60 * 60
"""So long unused, and it is over."""
LONGEST_SECONDS = 10 * 60 * 60
"""So long, and it is over however much it is used."""
UNDER_WAY_SECONDS = 10 * 60
"""So long may somebody take at whoever vouches for them."""
TOUCHED_EVERY = 60


class Sessions:
    """Opens, finds and ends sessions."""

    def __init__(self, database: AccessDatabase, seconds: Callable[[], float] = time.time) -> None:
        self._database = database
        self._seconds = seconds

    def open(self, viewer: Viewer, before: str | None = None) -> str:
        """A new session, under a key that nobody held before; the one before it ends. Returns the browser's key."""
        content = {"id": viewer.id, "name": viewer.name, "roles": sorted(viewer.roles), "sites": sorted(viewer.sites)}
        return self._opened({"viewer": content}, before)

    def begin(self, under_way: Mapping[str, str], browser: str | None) -> str:
        """A log-in under way, of perhaps several in one browser: each tab its own. Returns the browser's key."""
        key = browser or secrets.token_urlsafe(32)
        self._opened({"under_way": dict(under_way)}, None, _of(key, under_way["state"]))
        return key

    def take(self, browser: str | None, state: str) -> dict[str, str] | None:
        """A log-in under way, once."""
        key = _of(browser, state) if browser else None
        content = self._content(key, UNDER_WAY_SECONDS, UNDER_WAY_SECONDS)
        self.end(key)
        found = content.get("under_way") if content else None
        return dict(found) if found else None

    def find(self, key: str | None) -> Visit | None:
        """Whose session it is."""
        content = self._content(key, IDLE_SECONDS, LONGEST_SECONDS)
        if not key or not content or "viewer" not in content:
            return None
        kept = content["viewer"]
        roles = frozenset(Role(role) for role in kept["roles"] if role in set(Role))
        viewer = Viewer(kept["id"], kept["name"], roles, frozenset(kept["sites"]))
        return Visit(viewer, hmac.new(key.encode(), b"form", hashlib.sha256).hexdigest())

    def end(self, key: str | None) -> None:
        """Ends a session."""
        if key:
            with self._database.write() as connection:
                connection.execute(delete(session).where(session.c.key == _kept(key)))

    def _opened(self, content: dict[str, Any], before: str | None, given: str | None = None) -> str:
        key, now = given or secrets.token_urlsafe(32), int(self._seconds())
        with self._database.write() as connection:
            over = or_(session.c.opened < now - LONGEST_SECONDS, session.c.used < now - IDLE_SECONDS)
            connection.execute(delete(session).where(or_(over, session.c.key == _kept(before or ""))))
            connection.execute(insert(session).values(key=_kept(key), opened=now, used=now, content=content))
        return key

    def _content(self, key: str | None, idle: int, longest: int) -> dict[str, Any] | None:
        if not key:
            return None
        now = int(self._seconds())
        with self._database.read() as connection:
            row = connection.execute(select(session).where(session.c.key == _kept(key))).first()
        if row is None or now - row.opened > longest or now - row.used > idle:
            return None
        if now - row.used >= TOUCHED_EVERY:
            with self._database.write() as connection:
                connection.execute(update(session).where(session.c.key == row.key).values(used=now))
        content: dict[str, Any] = row.content
        return content


def _of(browser: str, state: str) -> str:
    return f"{browser} {state}"


def _kept(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
