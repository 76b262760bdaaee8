"""The registry's database: opened, created, and brought up to a newer outcome model.

The tables follow from `schemas.outcomes`, whose contract within a major version is to add or remove optional fields only
(FULL_TRANSITIVE). So there is one step to evolve them: compare the database with the model (alembic's comparison), create
what is missing, and stop with the name of the column where a type differs; only a table of which no row was ever written is
made anew then. Written migrations would say the same a second time and could drift from the model; a removed field's column
stays, with what it holds. An operator can see the statements before they run (`planned`). What the history kept and this
version can read, or now wants to know, is filled in after them (`filling`). Consumers of the version before may go on meanwhile: they
name the columns they write.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Constraint, Engine, Index, MetaData, Table, literal, select, text
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable, DDLElement, SetColumnComment, SetTableComment

from mainstem.database import connect as connect_database
from mainstem.database import parse_url, translated
from mainstem.database.options import READS
from mainstem.database.urls import make_private
from schemas.errors import MainstemError, OperatorError
from services.registry import filling
from services.registry.said import metadata
from services.registry.tables import RECORD_TABLES

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
    """Adds what the model has and the database has not, and fills it; says by which statements. Raises OperatorError where a type differs."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
    changes = _changes(connection)
    statements = _planned(connection, changes)
    for statement in statements:
        connection.exec_driver_sql(
            statement.replace("%", "%%") if connection.dialect.name == "postgresql" else statement
        )
    let_people_say(connection, metadata)
    filling.complete_history(connection)
    for record_type, columns in _news(changes).items():
        filling.fill(connection, record_type, columns)
    return statements


def let_people_say(connection: Connection, tables: MetaData) -> None:
    """The pages' role adds to what people say, reads the rest, and counts in tables of its session: where PostgreSQL has such a role and
    the tables are ours."""
    if connection.dialect.name != "postgresql":
        return
    said = [table.name for table in tables.tables.values() if table.info.get("said")]
    granted = text(
        "select format('grant insert, update on %I.%I to pages', schemaname, tablename) from pg_tables "
        "where tablename = any(:said) and tableowner = current_user and schemaname = current_schema() "
        "and exists (select from pg_roles where rolname = 'pages') "
        "union all select format('grant temporary on database %I to pages', datname) from pg_database "
        "where datname = current_database() and pg_get_userbyid(datdba) = current_user "
        "and exists (select from pg_roles where rolname = 'pages')"
    )
    for statement in connection.scalars(granted, {"said": said}).all():
        connection.exec_driver_sql(statement)


def planned(connection: Connection) -> list[str]:
    """The statements `upgrade` would run."""
    return _planned(connection, _changes(connection))


def _news(changes: list[tuple[Any, ...]]) -> dict[str, list[str]]:
    """Record types with columns that are new, of a new table all, and which."""
    found: dict[str, list[str]] = {}
    for change in changes:
        name = _table_of(change) if change[0] in ("add_table", "add_column", "modify_type") else ""
        if name in RECORD_TABLES:
            found.setdefault(name, []).extend([change[3].name] if change[0] == "add_column" else ["id"])
    return found


def _changes(connection: Connection) -> list[tuple[Any, ...]]:
    """How the model differs from the database; tables and columns before indexes."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    changes = [
        change
        for entry in compare_metadata(context, metadata)
        for change in (entry if isinstance(entry, list) else [entry])
    ]
    return sorted(changes, key=lambda change: change[0] == "add_index")


def _planned(connection: Connection, changes: list[tuple[Any, ...]]) -> list[str]:
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
    of = change[1].table if isinstance(change[1], Index | Constraint) else change[1]
    return of.name if isinstance(of, Table) else str(change[2])


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
