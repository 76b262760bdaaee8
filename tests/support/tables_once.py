"""Tables of an empty database are made once a process: what was written the first time is written again.

A state's migrations and a registry's comparison with its model cost a fifth of a second, and a thousand tests begin with
them. The first of each kind runs them whole; a database that is not empty always does.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from mainstem.state.migrations import upgrade as state
from services.registry import database as registry

EMPTY = {
    "sqlite": "select not exists (select 1 from sqlite_master)",
    "postgresql": "select not exists (select 1 from pg_tables where schemaname = current_schema())"
    " and not exists (select 1 from pg_roles where rolname = 'pages')",  # what it may do is granted beside
}


class Once:
    """A way to make tables: `make(connection, …)`, one at a time by an advisory lock of PostgreSQL."""

    def __init__(self, make: Callable[..., Any], lock: int) -> None:
        self.make, self.lock = make, lock
        self.made: dict[tuple[Any, ...], tuple[list[tuple[str, Any]], Any]] = {}
        """By database and version: statements with their parameters, and what `make` answered."""

    def __call__(self, connection: Connection, *given: Any) -> Any:
        kind = connection.dialect.name
        if kind == "postgresql":
            connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": self.lock})
        if not connection.scalar(text(EMPTY[kind])):
            return self.make(connection, *given)
        key = (kind, *given[1:])  # the first is what the database is called in a message
        if key not in self.made:
            written: list[tuple[str, Any]] = []
            answer = self._watched(connection, written, *given)
            self.made[key] = (written, answer)
            return answer
        written, answer = self.made[key]
        cursor = connection.connection.cursor()
        for statement, parameters in written:
            cursor.execute(statement, parameters)
        cursor.close()
        return answer

    def _watched(self, connection: Connection, written: list[tuple[str, Any]], *given: Any) -> Any:
        def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
            assert not many, statement
            if not statement.lstrip().upper().startswith(("SELECT", "PRAGMA")):
                written.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", note)
        try:
            return self.make(connection, *given)
        finally:
            event.remove(connection, "before_cursor_execute", note)


@pytest.fixture(scope="session", autouse=True)
def tables_once() -> Iterator[None]:
    """For every test; what upgrades do to a database that is there is never short-cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "upgrade", Once(state.upgrade, state.ONE_AT_A_TIME))
        patch.setattr(registry, "upgrade", Once(registry.upgrade, registry.UPGRADE_LOCK))
        yield
