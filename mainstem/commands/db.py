"""`mainstem db`: the databases' tables, brought to this version's."""

from typing import Annotated

import typer

from mainstem.commands.terminal import read_settings, say

group = typer.Typer(name="db", help="The databases: tables of this version.", no_args_is_help=True)


@group.command("upgrade", epilog="Example: mainstem db upgrade --registry")
def upgrade(
    registry: Annotated[
        bool, typer.Option("--registry", help="The registry's and the pages' databases, too: at the centre.")
    ] = False,
) -> None:
    """Bring the tables to this version's, data kept: what any command does that opens them, done before a night instead of in it.

    Safe at any time: under a lock, again it does nothing. A database of a newer version is refused.
    """
    from mainstem.database.urls import name_of
    from mainstem.state import State

    settings = read_settings()
    store = State.open(settings.database_url)
    try:
        before = store.revision()
        store.migrate()
        after = store.revision()
        where = name_of(store.database.engine.url)
    finally:
        store.close()
    say(f"{where}: tables {after}" + ("" if after == before else f", before {before or 'none'}"))
    if registry:
        _upgrade_centre(settings.registry_url, settings.access_url)


def _upgrade_centre(registry_url: str, access_url: str) -> None:
    from mainstem.database.urls import name_of
    from services.access.database import AccessDatabase
    from services.registry.database import open_registry

    engine = open_registry(registry_url)
    say(f"{name_of(engine.url)}: tables as this version wants them")
    engine.dispose()
    database = AccessDatabase.open(access_url)
    say(f"{name_of(database.engine.url)}: tables as this version wants them")
    database.close()
