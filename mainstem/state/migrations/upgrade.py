"""Brings a database to the newest tables, inside the caller's transaction."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from schemas.errors import OperatorError

ONE_AT_A_TIME = 0x6D61696E7374656D
"""PostgreSQL advisory lock of migrations; on SQLite the write transaction is the lock."""


def configuration(connection: Connection) -> Config:
    """Alembic's configuration for one connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection, name: str, to: str = "head") -> None:
    """Runs the missing migrations. Raises OperatorError where a newer Mainstem has been at the database."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_AT_A_TIME})
    config = configuration(connection)
    try:
        command.upgrade(config, to)
    except CommandError as exc:
        raise OperatorError(f"{name} was made by a newer Mainstem", "Install that version here too.") from exc


def head() -> str | None:
    """The newest migration."""
    return ScriptDirectory(str(Path(__file__).parent)).get_current_head()
