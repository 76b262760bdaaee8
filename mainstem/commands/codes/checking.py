"""A code map checked before it is used: forms and check digits, what is missing, what stands twice or contradicts, what it changes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mainstem.commands.codes.mangled import mangled
from mainstem.config.site_mapper import read_code_map
from schemas.given_files import given_table
from transforms import CodeMapRow
from transforms.codes.code_map import is_bare_oid, raw_rows
from transforms.codes.forms import code_fault
from transforms.codes.kinds import words_of
from transforms.codes.spellings import is_listed
from transforms.codes.systems import LOINC, UCUM, known_systems, repaired_system
from transforms.codes.units import is_ucum, unit_table

_FAULTS = {
    "loinc-check-digit": "its check digit is wrong: a digit was mistyped",
    "loinc-spreadsheet-date": "a spreadsheet turned it into a date: format the column as text",
    "loinc-form": "LOINC codes are written as 8302-2",
    "snomed-check-digit": "its check digit is wrong: a digit was mistyped",
    "snomed-form": "SNOMED CT concepts are numbers of 6 to 18 digits",
}


class Remark(NamedTuple):
    """Something about a line of a code map."""

    line: int
    fault: bool
    """Whether it must be put right; else it is to be known."""
    said: str

    @property
    def kind(self) -> str:
        """fault or note."""
        return "fault" if self.fault else "note"


def check_file(path: Path) -> tuple[list[CodeMapRow], list[Remark]]:
    """The rows that can be used, and what is to be said of all, by line. Raises OperatorError for what is no code map."""
    rows: list[tuple[int, CodeMapRow]] = []
    remarks: list[Remark] = []
    for line, row in raw_rows(_text(path), str(path)):
        faults = list(_row_remarks(line, row))
        remarks += faults
        if not any(each.fault for each in faults):
            rows.append((line, row))
    remarks += _doubles(rows)
    return [row for _, row in rows], sorted(remarks)


def _text(path: Path) -> str:
    with given_table(path) as file:
        return file.read()


def _row_remarks(line: int, row: CodeMapRow) -> Iterator[Remark]:
    missing = [name for name in ("code", "target_system", "target_code") if not getattr(row, name).strip()]
    if missing:
        yield Remark(line, True, f"{', '.join(missing)} to be filled in; a line that stays open is to be taken out")
        return
    if row.system.strip() and repaired_system(row.system) is None and not is_bare_oid(row.system):
        yield Remark(line, True, f"system '{row.system}' is no URI; leave it empty where the source names none")
    yield from _source_remarks(line, row.code.strip(), repaired_system(row.system))
    target, code = repaired_system(row.target_system), row.target_code.strip()
    if target is None:
        yield Remark(line, True, f"target_system '{row.target_system}' is no URI: write it as {LOINC}")
    elif target == UCUM:
        yield from _unit_remarks(line, code)
    elif (words := words_of(target)) is not None:
        if not (code in words if isinstance(words, frozenset) else words.fullmatch(code)):
            told = (
                ", ".join(sorted(words)) if isinstance(words, frozenset) else "a word of small letters, digits, - and _"
            )
            yield Remark(line, True, f"{code!r} is no word of {target}: {told}")
    elif target not in known_systems():
        yield Remark(line, True, f"target_system {target} is none that records name")
    elif fault := code_fault(target, code):
        yield Remark(line, True, f"'{code}' is no code of {target}: {_FAULTS.get(fault, 'it has not their form')}")
    elif target == LOINC and code not in unit_table() and not code.startswith("LA"):
        yield Remark(
            line, False, f"{code} has no row in the unit table: values keep the unit they come in, none is judged"
        )


def _source_remarks(line: int, code: str, system: str | None) -> Iterator[Remark]:
    """Whether a source can have written it: a row for what no source writes is never met, and nobody hears of it."""
    if done := mangled(code):
        yield Remark(line, False, f"code {code!r}: {done}, or the row is never met")
    elif system in known_systems() and system != UCUM and (fault := code_fault(system, code)):
        said = _FAULTS.get(fault, "it has not their form")
        yield Remark(
            line, False, f"'{code}' is no code of {system}: {said}; the row is met where the source writes it so"
        )


def _unit_remarks(line: int, unit: str) -> Iterator[Remark]:
    if not is_ucum(unit):
        yield Remark(line, True, f"'{unit}' is no unit of UCUM")
    elif not is_listed(unit):
        yield Remark(line, False, f"'{unit}' is a UCUM unit that is seldom used; look at it once more")


def _doubles(rows: Sequence[tuple[int, CodeMapRow]]) -> Iterator[Remark]:
    first: dict[tuple[str, str, str], tuple[int, str]] = {}
    for line, row in rows:
        known, code = first.setdefault(key_of(row), (line, row.target_code.strip()))
        if known == line:
            continue
        if code == row.target_code.strip():
            yield Remark(line, False, f"says the same as line {known}")
        else:
            yield Remark(line, True, f"contradicts line {known}: {code} there, {row.target_code.strip()} here")


def key_of(row: CodeMapRow) -> tuple[str, str, str]:
    """What may stand once: a code and the system of its meaning, written as they are compared."""
    return repaired_system(row.system) or "", row.code.strip(), repaired_system(row.target_system) or ""


def overruled(shared: Path, own: Sequence[CodeMapRow]) -> list[str]:
    """Where the site's own rows say otherwise than the network's; the site's win."""
    theirs = {key_of(row): row.target_code.strip() for row in read_code_map(shared)}
    return [
        f"{row.system or 'no system'} {row.code}: the network's map says {theirs[key]}, the site's {row.target_code.strip()}, which wins"
        for row in own
        if (key := key_of(row)) in theirs and theirs[key] != row.target_code.strip()
    ]
