"""A CSV file of numbers, read by columns; what cannot be used is told by file, line and column, never by its text."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from schemas.errors import OperatorError
from schemas.given_files import given_table

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
"""How files say that there is no value; in any case of letters."""
LARGEST = 1_000_000_000
"""No patients, events or days are more: beyond it limits are not exact, or take for ever."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file."""

    path: Path
    line: int
    cells: dict[str, str]

    def text(self, column: str) -> str:
        """The cell as it stands, without blanks around it."""
        return self.cells[column]

    def number(self, column: str, *, least: float | None = None, whole: bool = False) -> float | None:
        """The cell as a number; none where it is missing. OperatorError where it is no number, too small, or no whole one."""
        text = self.cells[column]
        if text.lower() in MISSING:
            return None
        try:
            value = float(text)
        except ValueError:
            raise self.fault(column, "is not a number", _spelling(text)) from None
        if not isfinite(value):
            raise self.fault(column, "is not finite", "Leave the cell empty where there is no value.")
        if "_" in text:
            raise self.fault(column, "is not a number", _spelling(text))
        if abs(value) > LARGEST:
            raise self.fault(column, f"is beyond {LARGEST:,}", "Count in larger units, such as thousands.")
        if least is not None and value < least:
            raise self.fault(column, f"is below {least:g}", f"Give a number of at least {least:g}, or leave it empty.")
        if whole and value != int(value):
            fix = "Give the count itself; for values that are divided already use --chart i or --chart run."
            raise self.fault(column, "is not a whole number", fix)
        return value

    def fault(self, column: str, what: str, fix: str) -> OperatorError:
        """The error of one cell."""
        return OperatorError(f"{self.path}, line {self.line}, column {column}: the cell {what}", fix)


def read_rows(path: Path, columns: Sequence[str], why: str) -> list[Row]:
    """The lines of the file with these columns; others are not read, blank lines passed over. `why`: what needs them."""
    with given_table(path, fix="Save it as CSV in UTF-8, with closed quotation marks.") as file:
        rows = list(_rows(path, file.read(), columns, why))
    if not rows:
        raise OperatorError(f"{path}: there is no row below the header", f"Give rows of {', '.join(columns)}.")
    return rows


def _rows(path: Path, text: str, columns: Sequence[str], why: str) -> Iterator[Row]:
    lines = csv.reader(text.splitlines(keepends=True), delimiter=_delimiter(text), strict=True)
    names = [name.strip().lower() for name in next(lines, [])]
    _check(path, names, columns, why)
    places = {column: names.index(column) for column in columns}
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(names):
            raise OperatorError(
                f"{path}, line {lines.line_num}: {len(cells)} cells under a header of {len(names)}",
                "Give a cell a column; put a text with a comma between quotation marks.",
            )
        yield Row(path, lines.line_num, {column: cells[place].strip() for column, place in places.items()})


def _delimiter(text: str) -> str:
    """A comma; where the header has none, the semicolon or tab that stands in it."""
    header = text.partition("\n")[0]
    return next((mark for mark in (",", ";", "\t") if mark in header), ",")


def _check(path: Path, names: Sequence[str], columns: Sequence[str], why: str) -> None:
    missing = [column for column in columns if column not in names]
    if missing:
        raise OperatorError(
            f"{path}, line 1: no column {' and none '.join(missing)}; there are {', '.join(filter(None, names)) or 'none'}",
            f"{why} needs a header with {', '.join(columns)}.",
        )
    twice = [column for column in columns if list(names).count(column) > 1]
    if twice:
        raise OperatorError(f"{path}, line 1: column {', '.join(twice)} stands twice", "Name each column once.")


def _spelling(text: str) -> str:
    if "," in text or "_" in text:
        return "Write numbers with a point for decimals and without separators of thousands: 1234.5."
    if text.endswith("%"):
        return "Write numbers without a percent sign."
    return "Write a number, or leave the cell empty where there is no value."
