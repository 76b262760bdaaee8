"""The registry's database: opened, created, and brought up to a newer outcome model.

The tables follow from `schemas.outcomes`, whose contract within a major version is to add or remove optional fields only
(FULL_TRANSITIVE). So there is one step to evolve them: compare the database with the model (alembic's comparison), create
what is missing, drop nothing, and stop with the name of the column where a type differs. Written migrations would say the
same a second time and could drift from the model; a removed field's column stays, with what it holds. An operator can see the
statements before they run (`planned`).
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, text
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable, DDLElement, SetColumnComment, SetTableComment

from mainstem.database import connect as connect_database
from mainstem.database import parse_url, translated
from mainstem.database.engine import READS
from mainstem.database.urls import make_private
from schemas.errors import MainstemError, OperatorError
from services.registry.tables import metadata

SETTING = "MAINSTEM_REGISTRY_URL"
WAIT_SECONDS = 10.0
"""Longest wait for another writer."""
UPGRADE_LOCK = 0x6D61696E
"""Two consumers that start at once evolve the tables one after the other (PostgreSQL advisory lock)."""


def open_registry(url: str) -> Engine:
    """The registry's database, reachable and with the tables of this version. Raises OperatorError or TemporaryError."""
    engine = connect(url)
    try:
        with in_words(engine), engine.begin() as connection:
            upgrade(connection)
    except MainstemError:
        engine.dispose()
        raise
    return engine


def connect(url: str) -> Engine:
    """An engine for a registry's address; connects on first use. A new SQLite file is its owner's alone."""
    parsed = parse_url(url, setting=SETTING)
    make_private(parsed, setting=SETTING)
    return connect_database(parsed, wait_seconds=WAIT_SECONDS)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that waits for no writer. Raises OperatorError or TemporaryError, never the driver's text."""
    with in_words(engine), engine.connect() as connection:
        yield connection.execution_options(**READS)


def in_words(engine: Engine) -> AbstractContextManager[None]:
    """The database's errors as ours."""
    return translated(engine.url, setting=SETTING, prepared_by="`mainstem registry run` prepares it.")


def upgrade(connection: Connection) -> list[str]:
    """Adds what the model has and the database has not; says by which statements. Raises OperatorError where a type differs."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
    statements = planned(connection)
    for statement in statements:
        connection.exec_driver_sql(
            statement.replace("%", "%%") if connection.dialect.name == "postgresql" else statement
        )
    return statements


def planned(connection: Connection) -> list[str]:
    """The statements `upgrade` would run."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    changes = [
        change
        for entry in compare_metadata(context, metadata)
        for change in (entry if isinstance(entry, list) else [entry])
    ]
    refused = sorted(f"{table}.{column}" for op, _, table, column, *_ in (c for c in changes if c[0] == "modify_type"))
    if refused:
        raise OperatorError(
            f"the registry's columns {', '.join(refused)} have another type than this version's model",
            "A type changes with a new major version only: start a new registry database and read the topic from the start.",
        )
    return [statement for change in changes for statement in _statements(change, connection)]


def _statements(change: tuple[Any, ...], connection: Connection) -> list[str]:
    """DDL for an addition; nothing for what the database has more, or says differently in a comment."""
    dialect = connection.dialect
    match change:
        case ("add_table", table):
            elements: list[DDLElement] = [CreateTable(table)]
            if dialect.supports_comments:
                elements.append(SetTableComment(table))
                elements += [SetColumnComment(column) for column in table.columns if column.comment]
            return [str(element.compile(dialect=dialect)).strip() for element in elements]
        case ("add_index", index):
            return [str(CreateIndex(index).compile(dialect=dialect)).strip()]
        case ("add_column", _, table_name, column):
            table = dialect.identifier_preparer.quote(table_name)
            return [f"ALTER TABLE {table} ADD COLUMN {CreateColumn(column).compile(dialect=dialect)}"]
    return []
