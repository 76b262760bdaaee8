"""A site's code map: which standard code a local code means. The site's people write it; CSV with a header line."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from schemas.errors import OperatorError
from transforms.codes.systems import repaired_system

COLUMNS = ("system", "code", "target_system", "target_code")
HEADER = ",".join((*COLUMNS, "note"))


class CodeMapRow(NamedTuple):
    """One local code and what it means."""

    system: str
    """Code system as the source writes it; empty where the source names none (and for a text without codes)."""
    code: str
    target_system: str
    """`http://loinc.org`, …; `http://unitsofmeasure.org` for a unit."""
    target_code: str
    note: str = ""
    """For the people who keep the map."""


CodeMap = dict[tuple[str, str], dict[str, str]]
"""(system, code) → {target system: target code}."""


def code_map(rows: Iterable[CodeMapRow]) -> CodeMap:
    """The rows by system and code, systems repaired as those of the source are."""
    found: CodeMap = {}
    for row in rows:
        target = repaired_system(row.target_system)
        if target is not None:
            found.setdefault((repaired_system(row.system) or "", row.code.strip()), {})[target] = (
                row.target_code.strip()
            )
    return found


def csv_line(*cells: str) -> str:
    """Cells of a code map as they stand in its file, without a line end."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue()


def parse_code_map(text: str, origin: str) -> Iterator[CodeMapRow]:
    """Rows of a code map's CSV text; `origin` is the file's name.

    Raises OperatorError naming the column or line that is missing something.
    """
    for line, row in raw_rows(text, origin):
        if not (row.code and row.target_system and row.target_code):
            raise OperatorError(
                f"{origin}:{line}: code, target_system and target_code must be filled in",
                "Complete the line; `mainstem codes check` names all that are open.",
            )
        if repaired_system(row.target_system) is None:
            raise OperatorError(f"{origin}:{line}: target_system is no URI", "Write it as http://loinc.org")
        yield row


def raw_rows(text: str, origin: str) -> Iterator[tuple[int, CodeMapRow]]:
    """(line, row) of a code map's CSV text, whatever its cells hold. Raises OperatorError for what is no such CSV."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        absent = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if absent:
            raise OperatorError(f"{origin}: no column {', '.join(absent)}", f"The first line must be {HEADER}")
        for row in reader:
            cells = {column: row.get(column) or "" for column in CodeMapRow._fields}
            yield reader.line_num, CodeMapRow(**cells)
    except csv.Error as exc:
        raise OperatorError(
            f"{origin}:{reader.line_num}: not CSV: {exc}",
            "Check the quotation marks; a cell with a comma stands in them.",
        ) from exc
