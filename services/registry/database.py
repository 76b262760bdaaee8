"""The registry's database: opened, created, and brought up to a newer outcome model.

The tables follow from `schemas.outcomes`, whose contract within a major version is to add or remove optional fields only
(FULL_TRANSITIVE). So there is one step to evolve them: compare the database with the model (alembic's comparison), create
what is missing, and stop with the name of the column where a type differs; only a table of which no row was ever written is
made anew then. Written migrations would say the same a second time and could drift from the model; a removed field's column
stays, with what it holds. An operator can see the statements before they run (`planned`).
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, Index, literal, select, text
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


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction for what people say. Raises OperatorError or TemporaryError, never the driver's text."""
    with in_words(engine), engine.begin() as connection:
        yield connection


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
    retyped = [(table, column) for op, _, table, column, *_ in (c for c in changes if c[0] == "modify_type")]
    filled = {table for table, _ in retyped if _has_rows(connection, table)}
    if filled:
        refused = sorted(f"{table}.{column}" for table, column in retyped if table in filled)
        raise OperatorError(
            f"the registry's columns {', '.join(refused)} have another type than this version's model",
            "A type changes with a new major version only: start a new registry database and read the topic from the start.",
        )
    anew = {table for table, _ in retyped}
    again = [statement for table in sorted(anew) for statement in _made_anew(table, connection)]
    others = [change for change in changes if _table_of(change) not in anew]
    return [*again, *(statement for change in others for statement in _statements(change, connection))]


def _has_rows(connection: Connection, name: str) -> bool:
    return connection.execute(select(literal(1)).select_from(metadata.tables[name]).limit(1)).first() is not None


def _table_of(change: tuple[Any, ...]) -> str:
    """The table a change is of."""
    if change[0] in ("add_table", "remove_table"):
        return str(change[1].name)
    return str(change[1].table.name if change[0] in ("add_index", "remove_index") else change[2])


def _made_anew(name: str, connection: Connection) -> list[str]:
    """A table of which no row was ever written, as this version's model has it."""
    table = metadata.tables[name]
    added: list[tuple[Any, ...]] = [("add_table", table), *(("add_index", each) for each in _in_order(table.indexes))]
    drop = f"DROP TABLE {connection.dialect.identifier_preparer.quote(name)}"
    return [drop, *(statement for change in added for statement in _statements(change, connection))]


def _in_order(indexes: Iterable[Index]) -> list[Index]:
    return sorted(indexes, key=lambda index: str(index.name))


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
