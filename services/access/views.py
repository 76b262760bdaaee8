"""The log of views: who saw which persons, when, by which page. Each row's digest covers the one before, so a change shows."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Text, cast, select

from mainstem.database.chained import Chained, first_broken
from services.access.database import AccessDatabase, view
from services.access.viewers import Viewer

What = Literal["asked", "shown", "entered", "left", "refused", "told"]
_CHAIN = Chained(view, 0x76696577)


class Views:
    """Writes and verifies the log."""

    def __init__(self, database: AccessDatabase, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    def note(
        self, what: What, viewer: Viewer, route: str, *, site: str | None = None, subjects: Sequence[str] = ()
    ) -> None:
        """Adds a row. Raises OperatorError or TemporaryError: what cannot be noted must not be shown."""
        row = {
            "at": self._clock().astimezone(UTC).isoformat(timespec="milliseconds"),
            "what": what,
            "viewer": viewer.id,
            "roles": sorted(viewer.roles),
            "route": route,
            "site": site,
            "subjects": list(subjects),
        }
        with self._database.write() as connection:
            _CHAIN.add(connection, row)

    def rows(self) -> list[dict[str, Any]]:
        """Every row, the oldest first."""
        with self._database.read() as connection:
            return _CHAIN.rows(connection)

    def about(self, subject: str) -> list[dict[str, Any]]:
        """Every row that names a person, the oldest first."""
        named = cast(view.c.subjects, Text).contains(subject, autoescape=True)
        with self._database.read() as connection:
            rows = connection.execute(select(view).where(named).order_by(view.c.number)).mappings()
            return [dict(row) for row in rows]

    def has_told(self, viewer: str) -> bool:
        """Whether anything was ever told to this viewer."""
        row = view.c
        with self._database.read() as connection:
            return (
                connection.scalar(select(row.number).where(row.what == "told", row.viewer == viewer).limit(1))
                is not None
            )

    def first_broken(self) -> int | None:
        """The number of the first row that is not as it was written; none where all are."""
        return first_broken(self.rows())
