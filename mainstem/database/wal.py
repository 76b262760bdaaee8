"""SQLite's write-ahead log, switched on by one process at a time.

Readers and a writer go on side by side with it. The first switch needs the database for itself and, unlike any other
statement, does not wait for it: of processes that open a new database at once some were told "locked" after 0.0 s.
"""

import fcntl
import sqlite3
from pathlib import Path

from mainstem.database.locks import open_lock


def switch_to_wal(connection: sqlite3.Connection) -> None:
    """Switches the connection's database, for good; waits for another that is at it. Call it first on every new connection."""
    file = connection.execute("PRAGMA database_list").fetchone()[2]
    if not file:
        return
    with open_lock(Path(f"{file}.wal.lock")) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection.execute("PRAGMA journal_mode = WAL")
