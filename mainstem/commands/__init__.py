"""The `mainstem` command: a file a group, found by its name. The one file to add is `mainstem/commands/<name>.py`.

A file gives `group`: with a name its commands stand below it (`mainstem topics create`), without one at the top
(`mainstem run`). `--help` imports all of these files, so they import rooms inside the commands. On top of everything:
nobody imports this room.
"""

import errno
import gc
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from mainstem.commands.late import Late
from mainstem.commands.terminal import print_defect, print_error, say
from schemas.errors import ExitCode, MainstemError, OperatorError

NEW_OBJECTS = 20_000
"""Before unreachable cycles are looked for among them: Python's own 700 costs a quarter of a start, and a tenth of a mapping,
where thousands of rows live for a moment and none is in a cycle."""

ROOM, RIGHTS = "Make room there, then run it again.", "Give this user the right to it, or name another place."
NOT_OURS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), ROOM),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), RIGHTS),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "Let this user open more files (`ulimit -n`), then run it again."),
    **dict.fromkeys(
        (errno.ENOTDIR, errno.EISDIR), "Name another place: a file stands where a folder is needed, or the reverse."
    ),
}
"""What the system refuses → what to do."""

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


def refused_by_machine(error: OSError) -> MainstemError | None:
    """What this machine does not let us do, wherever it is met; None where it may be a defect of ours."""
    fix = NOT_OURS.get(error.errno or 0)
    if fix is None:
        return None
    where = f" in {Path(str(error.filename)).parent}" if error.filename else ""  # the name itself may be of others
    return OperatorError(f"this machine refuses to go on{where}: {error.strerror}", fix)


def main() -> None:
    """Runs the command; an error of ours is printed as its cause and its fix, without a traceback; of others the kind alone."""
    gc.set_threshold(NEW_OBJECTS)
    os.umask(
        os.umask(0o077) | 0o022
    )  # a stub runs with Airflow's rights, a site file says where a key is: nobody else's
    try:
        app()
    except MainstemError as exc:
        print_error(exc)
        sys.exit(exc.exit_code)
    except OSError as exc:
        if (ours := refused_by_machine(exc)) is None:
            print_defect(exc)
            sys.exit(ExitCode.DEFECT)
        print_error(ours)
        sys.exit(ours.exit_code)
    except Exception as exc:  # noqa: BLE001 - the edge: its text may hold a patient's data; no excepthook, typer sets its own
        print_defect(exc)
        sys.exit(ExitCode.DEFECT)
