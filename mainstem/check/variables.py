"""Probe: which of the network's declared variables a sample fills. The network lists them in `variables.csv`, beside the site files."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mainstem.check.finding import Finding, failed, tried
from mainstem.check.probe import Probe, Visit
from schemas.errors import IncompleteError, MainstemError, OperatorError
from schemas.given_files import given_table
from schemas.outcomes import RECORD_TYPES

FILE = "variables.csv"
NOT = "; not "
COLUMNS = ("variable", "record", "system", "code", "field")


class Variable(NamedTuple):
    """What a network wants to know of a patient: a record of a type, of a code where one is named, with a field that holds something."""

    variable: str
    record: str
    system: str
    code: str
    field: str


def declared(folder: Path) -> list[Variable]:
    """Those of the file; none where there is no file. Raises OperatorError naming the line that is wrong."""
    path = folder / FILE
    if not path.is_file():
        return []
    with given_table(path) as file:
        rows = csv.DictReader(file)
        if missing := [name for name in COLUMNS[:2] if name not in (rows.fieldnames or [])]:
            raise OperatorError(
                f"{path}: no column {', '.join(missing)}", f"The first line must be {','.join(COLUMNS)}"
            )
        found = [(rows.line_num, Variable(*((row.get(name) or "").strip() for name in COLUMNS))) for row in rows]
    for line, variable in found:
        if variable.record not in RECORD_TYPES:
            raise OperatorError(
                f"{path}:{line}: there is no record type {variable.record}", f"There are {', '.join(RECORD_TYPES)}."
            )
    return [variable for _, variable in found]


def not_filled(names: list[str], finding: Finding) -> list[str]:
    """Those that a finding of this probe names as not filled."""
    told = finding.what.partition(NOT)[2].split(", ")
    return [name for name in names if name in told]


def filled(variables: list[Variable], records: Iterator[tuple[str, dict[str, object]]]) -> set[str]:
    """The names of those that some record fills."""
    found: set[str] = set()
    for kind, record in records:
        found |= {each.variable for each in variables if each.record == kind and _fills(each, record)}
    return found


def _fills(variable: Variable, record: dict[str, object]) -> bool:
    codings = record.get("codings")
    pairs = [(each.get("system"), each.get("code")) for each in codings] if isinstance(codings, list) else []
    wanted = not variable.code or (variable.system, variable.code) in pairs
    return wanted and (not variable.field or record.get(variable.field) not in (None, "", []))


def _look(visit: Visit) -> list[Finding]:
    if not visit.sampled().size:
        return []
    try:
        variables = declared(visit.source.folder)
        return [tried("variables", lambda: _share(visit, variables))] if variables else []
    except MainstemError as exc:
        return [failed("variables", exc)]


def _share(visit: Visit, variables: list[Variable]) -> str:
    found = filled(variables, ((each.type, json.loads(each.content)) for each in visit.mapped().records))
    names = [each.variable for each in variables]
    what = f"{100 * len(found) / len(names):.0f} % of the network's {len(names)} variables are filled in a sample"
    if missing := [name for name in names if name not in found]:
        raise IncompleteError(
            f"{what}{NOT}{', '.join(missing)}",
            "See whether this EHR keeps them, under other codes perhaps (code_map); a sample may miss what is rare.",
            who="site IT",
        )
    return what


PROBE = Probe(_look, after="meaning", closer=True)
