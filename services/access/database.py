"""The database of access: sessions, and the log of views, which can be added to and not changed."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import DDL, JSON, BigInteger, Column, Connection, Engine, Integer, MetaData, Table, Text, event

from mainstem.database import connect, make_tables, parse_url, translated
from mainstem.database.chained import append_only
from mainstem.database.options import READS
from mainstem.database.urls import make_private

SETTING = "MAINSTEM_ACCESS_URL"
WAIT_SECONDS = 10.0
"""Longest wait for another writer."""
metadata = MetaData()
_number = BigInteger().with_variant(Integer(), "sqlite")

session = Table(
    "access_session",
    metadata,
    Column("key", Text, primary_key=True, comment="SHA-256 of what the browser holds."),
    Column("opened", BigInteger, nullable=False, comment="Seconds since 1970."),
    Column("used", BigInteger, nullable=False, comment="When it was last used, to the minute."),
    Column("content", JSON, nullable=False, comment="Who is logged in; or a log-in under way."),
    comment="Who is logged in now.",
)
family_session = Table(
    "family_session",
    metadata,
    Column("key", Text, primary_key=True, comment="SHA-256 of what the family's device holds."),
    Column("link", Text, nullable=False, comment="The way in by which it was opened."),
    Column("opened", BigInteger, nullable=False, comment="Seconds since 1970."),
    Column("used", BigInteger, nullable=False, comment="When it was last used, to the minute."),
    comment="Devices of families that came in by a code.",
)
view = Table(
    "access_view",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=False, comment="1, 2, 3 … without a gap."),
    Column("at", Text, nullable=False, comment="When, UTC."),
    Column("what", Text, nullable=False, comment="asked, shown, entered, left, refused or told."),
    Column("viewer", Text, nullable=False, comment="Who, as whoever vouches for them names them."),
    Column("roles", JSON, nullable=False),
    Column("route", Text, nullable=False),
    Column("site", Text),
    Column("subjects", JSON, nullable=False, comment="Pseudonyms of the persons shown."),
    Column("digest", Text, nullable=False, comment="SHA-256 over the row and the digest before it."),
    comment="Who saw whom, and when.",
)
for dialect in ("sqlite", "postgresql"):
    for statement in append_only("access_view", "the log of views", dialect):
        event.listen(view, "after_create", DDL(statement).execute_if(dialect=dialect))  # type: ignore[no-untyped-call]


class AccessDatabase:
    """Where sessions and views are kept."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def open(cls, url: str) -> "AccessDatabase":
        """The database with its tables; a new SQLite file is its owner's alone. Raises OperatorError or TemporaryError."""
        parsed = parse_url(url, setting=SETTING)
        make_private(parsed, setting=SETTING)
        made = cls(connect(parsed, wait_seconds=WAIT_SECONDS))
        with made.write() as connection:
            make_tables(connection, metadata)
        return made

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction. Raises OperatorError or TemporaryError, never the driver's text."""
        with translated(self.engine.url, setting=SETTING), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that waits for no writer."""
        with translated(self.engine.url, setting=SETTING), self.engine.connect() as connection:
            yield connection.execution_options(**READS)

    def close(self) -> None:
        """Closes the connections."""
        self.engine.dispose()
