"""Whether a delivery is there and whole, before anything of it is read."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from connectors.delivery.folder import Delivery, shown
from schemas.errors import IncompleteError
from schemas.gaps import GapCause

ROUNDING_SECONDS = 2
"""So coarse are some shares' times of files."""


def empty(folder: Path, what: str) -> IncompleteError:
    """A folder in which nothing stands that could be read; `what`: what stands there instead."""
    return IncompleteError(
        f"nothing was delivered: {folder} {what}", GapCause.DELIVERY_LATE.fix, gap=GapCause.DELIVERY_LATE, who="site IT"
    )


def require_end_marker(delivery: Delivery, marker: str) -> None:
    """Every file has the end marker beside it or above it, written after it. Raises IncompleteError where one has not.

    A marker of the delivery before stands beside files that are still being copied: so it has to be the last.
    """
    marked: dict[Path, float | None] = {}
    for path in delivery.files:
        ends = [end for at in _folders(path, delivery.folder) if (end := _written(at / marker, marked)) is not None]
        if not ends:
            raise _unmarked(f"no {marker} stands beside {shown(path, delivery.folder)} or above it")
        if path.stat(follow_symlinks=False).st_mtime > max(ends) + ROUNDING_SECONDS:
            raise _unmarked(f"{shown(path, delivery.folder)} was written after {marker}")


def growing(
    paths: Sequence[Path], seconds: float, *, now: Callable[[], datetime], sleep: Callable[[float], None]
) -> set[Path]:
    """Files that are still being written: those of the last seconds are looked at twice, a pause between."""
    at = now().timestamp()
    young = {path: looks for path in paths if (looks := _looks(path)) and abs(at - looks[1] / 1e9) < seconds}
    if young:
        sleep(seconds)
    return {path for path, looks in young.items() if _looks(path) != looks}


def _looks(path: Path) -> tuple[int, int] | None:
    """Size and time of writing; None for what is gone."""
    try:
        known = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return known.st_size, known.st_mtime_ns


def _folders(path: Path, root: Path) -> list[Path]:
    """Those from the file's up to the delivery's."""
    return [at for at in path.parents if at.is_relative_to(root)]


def _written(marker: Path, known: dict[Path, float | None]) -> float | None:
    if marker not in known:
        known[marker] = marker.stat(follow_symlinks=False).st_mtime if marker.is_file() else None
    return known[marker]


def _unmarked(what: str) -> IncompleteError:
    return IncompleteError(
        f"the delivery is not whole: {what}",
        "Wait for the job that delivers; it writes files.end_marker last.",
        gap=GapCause.DELIVERY_LATE,
        who="site IT",
    )
