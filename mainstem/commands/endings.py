"""What ended a command: told on standard error, with the code that it ends with."""

import errno
from pathlib import Path

from mainstem.commands.terminal import print_defect, print_error
from schemas.errors import ExitCode, MainstemError, OperatorError

ROOM, RIGHTS = "Make room there, then run it again.", "Give this user the right to it, or name another place."
NOT_OURS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), ROOM),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), RIGHTS),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "Let this user open more files (`ulimit -n`), then run it again."),
    **dict.fromkeys(
        (errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
        "Name another place: a file stands where a folder is needed, or the reverse.",
    ),
}
"""What the system refuses → what to do."""


def ended_by(error: Exception) -> ExitCode:
    """Says what ended a command; the code that it ends with."""
    ours = refused_by_machine(error) if isinstance(error, OSError) else error
    if isinstance(ours, MainstemError):
        print_error(ours)
        return ours.exit_code
    print_defect(error)
    return ExitCode.DEFECT


def refused_by_machine(error: OSError) -> MainstemError | None:
    """What this machine does not let us do, wherever it is met; None where it may be a defect of ours."""
    fix = NOT_OURS.get(error.errno or 0)
    if fix is None:
        return None
    where = f" in {Path(str(error.filename)).parent}" if error.filename else ""  # the name itself may be of others
    return OperatorError(f"this machine refuses to go on{where}: {error.strerror}", fix)
