"""A CSV file of numbers, read by columns; what cannot be used is told by file, line and column, never by its text."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path

from schemas.errors import OperatorError
from schemas.given_files import given_table, layout

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none"})
"""How files say that there is no value; in any case of letters."""
WORKBOOK = "PK\x03\x04"
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
"""Of these alone nobody could say what the comma is."""
LARGEST = 1_000_000_000
"""No patients, events or days are more: beyond it limits are not exact, or take for ever."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file."""

    path: Path
    line: int
    cells: dict[str, str]
    commas: bool = False
    """Whether the file's numbers have a comma for decimals."""

    def text(self, column: str) -> str:
        """The cell as it stands, without blanks around it."""
        return self.cells[column]

    def number(self, column: str, *, least: float | None = None, whole: bool = False) -> float | None:
        """The cell as a number; none where it is missing. OperatorError where it is no number, too small, or no whole one."""
        text = self.cells[column].replace("\u2212", "-")
        if text.lower() in MISSING:
            return None
        if self.commas and "." in text:
            raise self.fault(column, "has a point where others have a comma", "Write all numbers in one way.")
        try:
            value = float(text.replace(",", ".", 1) if self.commas else text)
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
    """The lines of the file with these columns, the first of them text; others are not read, blank lines passed over. `why`: what
    needs them."""
    with given_table(path, fix="Save it as CSV in UTF-8, with closed quotation marks.") as file:
        text = file.read()
        if text.startswith(WORKBOOK):
            raise OperatorError(f"{path}: is a workbook or an archive, not CSV", "Save its sheet as CSV in UTF-8.")
        lines = text.splitlines(keepends=True)
        mark, start = layout(lines, columns)
        rows = list(_rows(path, lines[start:], start, mark, columns, why))
    if not rows:
        raise OperatorError(f"{path}: there is no row below the header", f"Give rows of {', '.join(columns)}.")
    if mark != "," and any(_has_comma(row.cells[column]) for row in rows for column in columns[1:]):
        return [replace(row, commas=True) for row in rows]
    return rows


def _has_comma(cell: str) -> bool:
    return bool(DECIMAL_COMMA.fullmatch(cell)) and not THOUSANDS.fullmatch(cell)


def _rows(path: Path, lines: Sequence[str], start: int, mark: str, columns: Sequence[str], why: str) -> Iterator[Row]:
    """From the header on, which stands below `start` lines; empty cells beyond it are passed over."""
    reader = csv.reader(lines, delimiter=mark, skipinitialspace=True, strict=True)
    names = [name.strip().lower() for name in next(reader, [])]
    _check(path, start + 1, names, columns, why)
    places = {column: names.index(column) for column in columns}
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        line = start + reader.line_num
        if len(cells) < len(names) or any(cell.strip() for cell in cells[len(names) :]):
            raise OperatorError(
                f"{path}, line {line}: {len(cells)} cells under a header of {len(names)}",
                "Give a cell a column; put a text with a comma between quotation marks.",
            )
        yield Row(path, line, {column: cells[place].strip() for column, place in places.items()})


def _check(path: Path, line: int, names: Sequence[str], columns: Sequence[str], why: str) -> None:
    missing = [column for column in columns if column not in names]
    if missing:
        raise OperatorError(
            f"{path}, line {line}: no column {' and none '.join(missing)}; there are {', '.join(filter(None, names)) or 'none'}",
            f"{why} needs a header with {', '.join(columns)}.",
        )
    twice = [column for column in columns if list(names).count(column) > 1]
    if twice:
        raise OperatorError(f"{path}, line {line}: column {', '.join(twice)} stands twice", "Name each column once.")


def _spelling(text: str) -> str:
    if set(text) & set(",_' \u00a0\u202f"):
        return "Write numbers with a point for decimals and without separators of thousands: 1234.5."
    if text.endswith("%"):
        return "Write numbers without a percent sign."
    return "Write a number, or leave the cell empty where there is no value."
