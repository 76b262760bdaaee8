"""The log of views: who saw which persons, when, by which page. Each row's digest covers the one before, so a change shows."""

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, text

from services.access.database import AccessDatabase, view
from services.access.viewers import Viewer

What = Literal["asked", "shown", "entered", "left", "refused", "told"]
CHAIN_LOCK = 0x76696577
"""One row is chained after the other (PostgreSQL advisory lock; SQLite has one writer anyway)."""


class Views:
    """Writes and verifies the log."""

    def __init__(self, database: AccessDatabase, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    def note(
        self, what: What, viewer: Viewer, route: str, *, site: str | None = None, subjects: Sequence[str] = ()
    ) -> None:
        """Adds a row. Raises OperatorError or TemporaryError: what cannot be noted must not be shown."""
        with self._database.write() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": CHAIN_LOCK})
            number, digest = _last(connection)
            row = {
                "number": number + 1,
                "at": self._clock().astimezone(UTC).isoformat(timespec="milliseconds"),
                "what": what,
                "viewer": viewer.id,
                "roles": sorted(viewer.roles),
                "route": route,
                "site": site,
                "subjects": list(subjects),
            }
            connection.execute(insert(view).values(**row, digest=_digest(row, digest)))

    def rows(self) -> list[dict[str, Any]]:
        """Every row, the oldest first."""
        with self._database.read() as connection:
            return [dict(row) for row in connection.execute(select(view).order_by(view.c.number)).mappings()]

    def first_broken(self) -> int | None:
        """The number of the first row that is not as it was written; none where all are."""
        digest = ""
        for place, row in enumerate(self.rows(), start=1):
            digest = _digest({name: value for name, value in row.items() if name != "digest"}, digest)
            if row["number"] != place or row["digest"] != digest:
                return place
        return None


def _last(connection: Connection) -> tuple[int, str]:
    row = connection.execute(select(view.c.number, view.c.digest).order_by(view.c.number.desc()).limit(1)).first()
    return (0, "") if row is None else (row.number, row.digest)


def _digest(row: dict[str, Any], before: str) -> str:
    said = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{before}\n{said}".encode()).hexdigest()
