"""Devices of families that came in by a code: what a device holds is a key alone; the way it came by stands elsewhere, and may end."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from sqlalchemy import delete, insert, or_, select, update

from services.access.database import AccessDatabase, family_session

IDLE_SECONDS = 180 * 24 * 3600
"""So long unused, and a new code is needed: longer than from visit to visit."""
LONGEST_SECONDS = 400 * 24 * 3600
TOUCHED_EVERY = 60


class FamilyDoor:
    """Opens, finds and ends a family's sessions."""

    def __init__(self, database: AccessDatabase, seconds: Callable[[], float] = time.time) -> None:
        self._database, self._seconds = database, seconds

    def open(self, link: str) -> str:
        """A session of a way in. Returns the device's key."""
        key, now = secrets.token_urlsafe(32), int(self._seconds())
        row = family_session.c
        with self._database.write() as connection:
            over = or_(row.opened < now - LONGEST_SECONDS, row.used < now - IDLE_SECONDS)
            connection.execute(delete(family_session).where(over))
            connection.execute(insert(family_session).values(key=_kept(key), link=link, opened=now, used=now))
        return key

    def link_of(self, key: str | None) -> str | None:
        """By which way in a device came."""
        if not key:
            return None
        now = int(self._seconds())
        with self._database.read() as connection:
            row = connection.execute(select(family_session).where(family_session.c.key == _kept(key))).first()
        if row is None or now - row.opened > LONGEST_SECONDS or now - row.used > IDLE_SECONDS:
            return None
        if now - row.used >= TOUCHED_EVERY:
            with self._database.write() as connection:
                connection.execute(update(family_session).where(family_session.c.key == row.key).values(used=now))
        return str(row.link)

    def end(self, key: str | None) -> None:
        """Ends a session."""
        if key:
            with self._database.write() as connection:
                connection.execute(delete(family_session).where(family_session.c.key == _kept(key)))


class Again:
    """Which way a code opened from which sheet, for a moment: a button that is pressed twice sends a code twice, which is good once, and
    a browser heeds the second answer alone. The sheet's own name, which no other browser has, is what tells a second press from a second person."""

    PRESSED_WITHIN = timedelta(minutes=1)

    def __init__(self) -> None:
        self._lock, self._taken = Lock(), dict[str, tuple[str, datetime]]()

    def note(self, sheet: str, code: str, link: str, at: datetime) -> None:
        """It was opened."""
        with self._lock:
            self._taken = {key: each for key, each in self._taken.items() if at - each[1] < self.PRESSED_WITHIN}
            if sheet:
                self._taken[_kept(f"{sheet}/{code}")] = (link, at)

    def of(self, sheet: str, code: str, at: datetime) -> str | None:
        """By which way, if it was just now."""
        with self._lock:
            link, when = self._taken.get(_kept(f"{sheet}/{code}"), (None, at))
        return link if sheet and at - when < self.PRESSED_WITHIN else None


def form_token(key: str) -> str:
    """By which a form is known to be of this device."""
    return hmac.new(key.encode(), b"form", hashlib.sha256).hexdigest()


def _kept(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
