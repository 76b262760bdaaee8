"""A test's PostgreSQL database whose tables are there already, and as they were made: emptied after a test, not made for each.

To make a registry's tables, their indexes and the comment of each column costs PostgreSQL as much as twenty tests.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psycopg
from emptied import OTHERS, new_name
from psycopg.sql import SQL, Identifier

from mainstem.demo.embedded import Postgres

SHAPE = """
select md5(concat(
  (select string_agg(concat(relname, relkind, relacl, reloptions, relrowsecurity), ' ' order by relname)
   from pg_class where relnamespace = 'public'::regnamespace),
  (select string_agg(concat(attrelid, attname, pg_attribute.xmin), ' ' order by attrelid, attnum)
   from pg_attribute join pg_class on pg_class.oid = attrelid where relnamespace = 'public'::regnamespace and relkind = 'r'),
  (select string_agg(concat(oid, xmin), ' ' order by oid) from pg_constraint where connamespace = 'public'::regnamespace),
  (select string_agg(concat(oid, xmin), ' ' order by oid) from pg_proc where pronamespace = 'public'::regnamespace),
  (select string_agg(concat(oid, xmin), ' ' order by oid) from pg_trigger where not tgisinternal),
  (select string_agg(concat(oid, xmin), ' ' order by oid) from pg_policy),
  (select string_agg(nspname, ' ' order by nspname) from pg_namespace where nspname not like 'pg\\_%'),
  (select string_agg(rolname, ' ' order by rolname) from pg_roles),
  (select count(*) from pg_default_acl),
  (select count(*) from pg_db_role_setting)))
"""
"""Tables, columns, indexes, rights, rules, roles: of a database that a test has altered it is another."""
WRITTEN = """
select relname from pg_class
where relnamespace = 'public'::regnamespace and relkind = 'r' and pg_relation_size(oid) > 0 order by relname
"""


class Kept(NamedTuple):
    """A database with its tables; `first` are those that have rows from the beginning, kept in a schema beside."""

    name: str
    shape: str
    first: list[str]

    @classmethod
    def made(cls, server: Postgres, make: Callable[[str], None]) -> "Kept":
        name = new_name()
        make(server.create_database(name))
        with psycopg.connect(server.url(name), autocommit=True) as connection:
            first = _written(connection)
            connection.execute("create schema kept")
            for table in map(Identifier, first):
                connection.execute(SQL("create table kept.{0} as table public.{0}").format(table))
            return cls(name, _shape(connection), first)

    def anew(self, server: Postgres) -> "Kept | None":
        """The same under another name, so that whoever still knows it finds nobody; none where it cannot be put back."""
        other = new_name()
        try:
            with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                connection.execute(OTHERS, [self.name])
                connection.execute(
                    SQL("alter database {} rename to {}").format(Identifier(self.name), Identifier(other))
                )
        except psycopg.Error:
            server.drop_database(self.name)
            return None
        with psycopg.connect(server.url(other), autocommit=True) as connection:
            if _shape(connection) == self.shape:
                self._put_back(connection)
                return self._replace(name=other)
        server.drop_database(other)
        return None

    def _put_back(self, connection: "psycopg.Connection[tuple[str]]") -> None:
        connection.execute("set session_replication_role = replica")  # some tables refuse to be emptied, by a trigger
        if written := _written(connection):
            tables = SQL(", ").join(SQL("public.{}").format(Identifier(name)) for name in written)
            connection.execute(SQL("truncate {} restart identity cascade").format(tables))
        for table in map(Identifier, self.first):
            connection.execute(SQL("insert into public.{0} table kept.{0}").format(table))


def _shape(connection: "psycopg.Connection[tuple[str]]") -> str:
    found = connection.execute(SHAPE).fetchone()
    assert found is not None
    return found[0]


def _written(connection: "psycopg.Connection[tuple[str]]") -> list[str]:
    return [name for (name,) in connection.execute(WRITTEN)]


@contextmanager
def lent(server: Postgres, spare: list[Kept], make: Callable[[str], None]) -> Iterator[str]:
    """The URL of a database as `make(url)` leaves an empty one; nobody else has it meanwhile."""
    kept = spare.pop() if spare else Kept.made(server, make)
    yield server.url(kept.name)
    if again := kept.anew(server):
        spare.append(again)
