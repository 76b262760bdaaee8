"""A CSV file of numbers, answered row by row by a reference."""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO

from mainstem.commands.derive.cells import Cells, Row
from mainstem.commands.derive.references import Reference
from schemas.errors import OperatorError
from schemas.given_files import given_table


def answers(reference: Reference, path: Path, tell: Callable[[str], None]) -> Iterator[Row]:
    """An answer for each row of a file, in their order; the file's columns are judged before the first."""
    rows = _rows(path)
    header = [name.strip().lower() for name in next(rows, [])]
    _check(reference, path, header)
    if unread := [name for name in header if name and name not in reference.reads]:
        tell(f"columns not read: {', '.join(unread)}")
    first = next(rows, None)
    if first is None:
        raise OperatorError(f"{path}: no row below the header", "Give a row for each measurement.")
    numbered = enumerate(chain([first], rows), 1)
    return ({"row": number, **reference.answer(Cells(header, cells))} for number, cells in numbered)


def _check(reference: Reference, path: Path, header: list[str]) -> None:
    fix = f"The first line names the columns, parted by commas, semicolons or tabs: {', '.join(reference.reads)}."
    if missing := [name for name in reference.must if name not in header]:
        raise OperatorError(f"{path}: no column {', '.join(missing)}", fix)
    if not set(header) & set(reference.measured):
        raise OperatorError(f"{path}: none of the columns {', '.join(reference.measured)}", fix)
    named = [name for name in header if name in reference.reads]
    if len(set(named)) < len(named):
        raise OperatorError(f"{path}: a column is named twice", fix)


def _rows(path: Path) -> Iterator[list[str]]:
    """The lines that hold anything, as they are wanted."""
    with given_table(path, most=None) as file:
        yield from _parsed(file, path)


def _parsed(file: IO[str], path: Path) -> Iterator[list[str]]:
    """Separated by what separates the names of the columns, whatever Excel's own line above them says; where that is no comma, a
    comma is the decimal point.
    """
    first = file.readline()
    if first.lower().startswith("sep="):
        first = file.readline()
    separator = max(",;\t", key=first.count)
    reader = csv.reader(chain([first], file), delimiter=separator, strict=True)
    try:
        for cells in reader:
            if cells:
                yield cells if separator == "," else [cell.replace(",", ".") for cell in cells]
    except csv.Error as exc:
        raise OperatorError(f"{path}, line {reader.line_num}: not CSV", "Correct its quotes.") from exc


def print_objects(rows: Iterable[Row]) -> None:
    """A JSON array, an object a line."""
    opening = "[\n"
    for row in rows:
        sys.stdout.write(opening + json.dumps(row, allow_nan=False))
        opening = ",\n"
    sys.stdout.write("\n]\n")


def print_csv(rows: Iterable[Row]) -> None:
    """CSV with a header; what is not given is an empty cell."""
    writer = None
    for row in rows:
        writer = writer or _headed(row)
        writer.writerow(row)


def _headed(row: Row) -> "csv.DictWriter[str]":
    writer = csv.DictWriter(sys.stdout, list(row), lineterminator="\n")
    writer.writeheader()
    return writer
