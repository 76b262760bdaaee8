"""A test's database on PostgreSQL, as empty as a new one, for another test."""

import uuid

import psycopg
from psycopg.sql import SQL, Identifier

from mainstem.demo.embedded import Postgres

OTHERS = "select pg_terminate_backend(pid, 2000) from pg_stat_activity where datname = %s"
AS_NEW = (
    "select not exists (select from pg_default_acl) and not exists (select from pg_db_role_setting)"
    " and (select array_agg(nspname::text) from pg_namespace"
    "      where nspname not like 'pg\\_%' and nspname <> 'information_schema') = array['public']"
)
"""Nothing but what stands in its one schema."""
HAS_SOMETHING = (
    "select exists (select from pg_class where relnamespace = at) or exists (select from pg_proc where pronamespace = at)"
    " from (select 'public'::regnamespace as at) as schema"
)
ANEW = (
    "drop schema public cascade",
    "create schema public authorization pg_database_owner",
    "grant usage on schema public to public",
)


def new_name() -> str:
    """Of a database that no other has."""
    return f"t_{uuid.uuid4().hex[:12]}"


def emptied(server: Postgres, name: str) -> str:
    """Ends the connections to a database, takes out what is in it, and calls it otherwise: whoever still knows it finds nobody.

    Its name then; empty where it must be dropped instead.
    """
    other = new_name()
    try:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(OTHERS, [name])
            connection.execute(SQL("alter database {} rename to {}").format(Identifier(name), Identifier(other)))
    except psycopg.Error:
        return ""
    with psycopg.connect(server.url(other), autocommit=True) as connection:
        if connection.execute(AS_NEW).fetchone() == (True,):
            if connection.execute(HAS_SOMETHING).fetchone() == (True,):
                for statement in ANEW:
                    connection.execute(statement)
            return other
    server.drop_database(other)
    return ""
