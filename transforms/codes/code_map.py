"""A site's code map: which standard code a local code means. The site's people write it; CSV with a header line."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from schemas.errors import OperatorError
from schemas.given_files import from_words, layout
from transforms.codes.forms import is_oid
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
        if (target := repaired_system(row.target_system)) is None:
            continue
        for system in _named_by(row.system):
            found.setdefault((system, row.code.strip()), {})[target] = row.target_code.strip()
    return found


def is_bare_oid(system: str) -> bool:
    """Whether it is an OID without `urn:oid:`, as documents of vendors have it."""
    return is_oid(f"urn:oid:{system.strip()}")


def _named_by(system: str) -> tuple[str, ...]:
    """What a source may name the system by: one that writes a bare OID names none, for FHIR wants a URI."""
    repaired = repaired_system(system)
    return ("", f"urn:oid:{system.strip()}") if repaired is None and is_bare_oid(system) else (repaired or "",)


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
    """(line, row) of a code map's CSV text, as a spreadsheet of any country writes it, whatever its cells hold; without the empty ones.

    Raises OperatorError for what is no such CSV.
    """
    lines = list(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    mark, above = layout(lines, COLUMNS)
    reader = csv.reader(lines[above:], delimiter=mark, skipinitialspace=True, strict=True)
    try:
        places = _places(next(reader, []), origin)
        for cells in reader:
            if any(map(str.strip, cells)):
                told = {name: from_words(cells[place]) for name, place in places.items() if place < len(cells)}
                yield above + reader.line_num, CodeMapRow(**{name: told.get(name, "") for name in CodeMapRow._fields})
    except csv.Error as exc:
        raise OperatorError(
            f"{origin}:{above + reader.line_num}: not CSV: {exc}",
            "Check the quotation marks; a cell with a comma stands in them.",
        ) from exc


def _places(header: list[str], origin: str) -> dict[str, int]:
    """Where each column stands. Raises OperatorError for one that is missing, or stands twice."""
    names = ["_".join(name.lower().split()) for name in header]
    for what, named in (
        ("no column", [column for column in COLUMNS if column not in names]),
        ("twice the column", [column for column in CodeMapRow._fields if names.count(column) > 1]),
    ):
        if named:
            raise OperatorError(f"{origin}: {what} {', '.join(named)}", f"The first line must be {HEADER}")
    return {name: names.index(name) for name in CodeMapRow._fields if name in names}
