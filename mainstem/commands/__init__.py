"""The `mainstem` command: a file a group, found by its name. The one file to add is `mainstem/commands/<name>.py`.

A file gives `group`: with a name its commands stand below it (`mainstem topics create`), without one at the top
(`mainstem run`); `make generated` lists it for `--help`. Rooms are imported inside the commands, so that each starts at
once. On top of everything: nobody imports this room.
"""

import os
import sys
from typing import Annotated

from mainstem.config.collecting import look_seldom

look_seldom()

import typer  # noqa: E402 - a start is these imports

from mainstem.commands.late import Late  # noqa: E402

app = typer.Typer(
    name="mainstem",
    cls=Late,
    help="Outcome events for Learning Health Networks: FHIR from every site's EHR, one outcome data model, one Kafka stream.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # rich help pages would cost 0.5 s a start
    epilog="First steps: mainstem sites new north, mainstem check sites/north.toml, "
    "mainstem run sites/north.toml. Parts are found by MAINSTEM_* variables; see mainstem settings.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from mainstem import __version__
        from mainstem.commands.terminal import say

        say(f"mainstem {__version__}")
        raise typer.Exit


@app.callback()
def _configure(
    _: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)] = False,
    log_format: Annotated[
        str, typer.Option("--log", envvar="MAINSTEM_LOG", help="Log on standard error: none, text or json.")
    ] = "none",
) -> None:
    if log_format != "none":
        from mainstem.config.logs import configure

        configure(log_format)


def main() -> None:
    """Runs the command; an error of ours is printed as its cause and its fix, without a traceback; of others the kind alone."""
    os.umask(
        os.umask(0o077) | 0o022
    )  # a stub runs with Airflow's rights, a site file says where a key is: nobody else's
    try:
        app()
    except Exception as exc:  # noqa: BLE001 - the edge: its text may hold a patient's data; no excepthook, typer sets its own
        from mainstem.commands.endings import ended_by

        sys.exit(ended_by(exc))
