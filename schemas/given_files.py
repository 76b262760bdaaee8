"""Tables that people hand over, as CSV in UTF-8: of a bounded size; what is wrong with one is told by file, never by its text."""

import csv
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from schemas.errors import OperatorError

MOST_BYTES = 64 << 20
"""Of a table that is held whole: a roster of some million patients."""
MARKS = (",", ";", "\t", "|")
"""What may stand between cells: spreadsheets write what their country's settings say."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for more than words."""
_NAMED = re.compile(r'"?sep=(.)"?[,;\t|]*')
"""Excel's line above a header."""


def as_words(cell: str) -> str:
    """A cell that a spreadsheet takes for words, whatever it begins with."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def from_words(cell: str) -> str:
    """The cell again as it was."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell


@contextmanager
def given_table(
    path: Path, *, most: int | None = MOST_BYTES, fix: str = "Save it as CSV in UTF-8."
) -> Iterator[IO[str]]:
    """The file, open for a `csv` reader; `most` bytes of it, any size where none is given.

    Raises OperatorError with this fix where it cannot be read, is larger, or (while it is read) is no UTF-8 or no CSV.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if most is not None and os.fstat(file.fileno()).st_size > most:
                raise OperatorError(f"{path}: larger than {most >> 20} MiB", "Give the rows that are wanted alone.")
            yield file
    except OSError as exc:
        raise OperatorError(f"{path}: cannot be read: {exc.strerror}", "Name a CSV file that can be read.") from exc
    except (UnicodeDecodeError, csv.Error) as exc:
        why = "is not text in UTF-8" if isinstance(exc, UnicodeDecodeError) else "is not CSV"
        raise OperatorError(f"{path}: {why}", fix) from exc


def layout(lines: Sequence[str], columns: Sequence[str]) -> tuple[str, int]:
    """What stands between cells, and how many lines above the header: blank ones, and Excel's own that names the mark. Without it, the
    mark by which the header has the columns; else the first that stands in it."""
    start = next((at for at, line in enumerate(lines) if line.strip(" \r\n" + "".join(MARKS))), 0)
    header = lines[start] if lines else ""
    if named := _NAMED.fullmatch(header.strip("\r\n")):
        return named[1], start + 1
    fitting = (mark for mark in MARKS if {*columns} <= {cell.strip(' "\r\n').lower() for cell in header.split(mark)})
    return next(fitting, next((mark for mark in MARKS if mark in header), ",")), start
