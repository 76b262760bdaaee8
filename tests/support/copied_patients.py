"""A site of many synthetic children with four diseases: those of a site of the known network, and copies of them under other ids made by
the database itself."""

from dataclasses import replace

from million import numbers_up_to
from sqlalchemy import Column, Connection, Engine, Table, Text, text

from mainstem.demo.known import KNOWN, feed
from services.registry.tables import RECORD_TABLES, JsonDocument, history

ID_LENGTH = len("r-") + 32


def fill_mixed(engine: Engine, patients: int) -> int:
    """Fills an empty registry with one site of at least so many children; how many they are."""
    site = KNOWN.sites[0]
    (_fed,) = feed(engine, replace(KNOWN, sites=(site,), tests_of_change=(), shifts=()))
    with engine.begin() as connection:
        born = connection.scalar(text("select count(*) from person"))
        times = -(-patients // born)
        for table in (*RECORD_TABLES.values(), history) if times > 1 else ():
            connection.execute(text(_copying(connection, table)), {"count": times - 1})
        if connection.dialect.name == "postgresql":
            connection.execute(text("analyze"))
    return int(born * times)


def _copying(connection: Connection, table: Table) -> str:
    """A copy's ids are the original's with the copy's number within."""
    postgresql, quote = connection.dialect.name == "postgresql", connection.dialect.identifier_preparer.quote
    columns = ", ".join(quote(each.name) for each in table.c)
    values = ", ".join(_renamed(each, quote(each.name), postgresql) for each in table.c)
    return f"insert into {quote(table.name)} ({columns}) select {values} from {quote(table.name)}, {numbers_up_to(postgresql)}"


def _renamed(column: Column[object], name: str, postgresql: bool) -> str:
    tag = "lpad(n::text, 4, '0')" if postgresql else "printf('%04d', n)"
    if isinstance(column.type, JsonDocument):
        document = f"{name}::text" if postgresql else name
        renamed = f"""replace({document}, '"r-', '"r-' || {tag})"""
        return f"({renamed})::jsonb" if postgresql else renamed
    if isinstance(column.type, Text):
        ours = f"substr({name}, 1, 2) in ('r-', 's-') and length({name}) = {ID_LENGTH}"
        return f"case when {ours} then substr({name}, 1, 2) || {tag} || substr({name}, 3) else {name} end"
    return name
