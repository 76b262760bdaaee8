"""No test waits for the disk: what is written is there for whoever reads it, and a kill takes nothing of it along.

Only a power cut would tell the difference, and no test cuts the power. Written through, each commit of SQLite and each file of a
landing waits some milliseconds, on a machine that is busy hundreds.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

AWAITED = "awaited"


def _no_waiting(connection: Connection) -> None:
    if connection.dialect.name != "sqlite" or AWAITED in connection.info:
        return
    driver: Any = connection.connection.driver_connection
    connection.info[AWAITED] = driver.execute("PRAGMA synchronous").fetchone()[0]
    driver.execute("PRAGMA synchronous = OFF")


@pytest.fixture(scope="session", autouse=True)
def disk_not_awaited() -> Iterator[None]:
    """For every test in its own process; a process that it starts waits as ever. What SQLite was told before stands in
    `connection.info["awaited"]` (2: FULL)."""
    event.listen(Engine, "engine_connect", _no_waiting)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _descriptor: None)
        yield
    event.remove(Engine, "engine_connect", _no_waiting)
