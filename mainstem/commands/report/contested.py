"""Records that clinicians contest on the network's pages, found again at the site: which resource of the hospital each was made from.

The pages know a record by its id alone, and give the list as CSV (`/contested/<site>/lines.csv`), fetched or as a file; here, beside
what was landed, the id leads to the hospital's own reference. The answer is given on the pages, where the clinician sees it at the record.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from connectors.formats.ndjson import read_lines
from mainstem.config.site_mapper import site_mapper
from mainstem.refresh import Refresh
from mainstem.refresh.refused import ident_of
from schemas.errors import OperatorError
from schemas.given_files import given_table
from schemas.outcomes import RECORD_TYPES, fhir_types_of
from schemas.problems import Problem
from services.people.contests import Answer, ContestReason
from transforms.mapped import REF_BYTES

COLUMNS = ("type", "record", "reason", "at", "answer")
TAKEN = "Take it from the pages: Contested, All lines as CSV."
NOT_KEPT = "not among the lines that are kept"
COMPUTED = "computed by Mainstem: its page names the records it was computed from"


class Contested(NamedTuple):
    """One record that somebody says is wrong."""

    type: str
    record: str
    reference: str
    """The hospital's own; empty where it was not found, which `where` says."""
    where: str
    """Load, file and line of the newest line that gave it, or why there is none."""
    reason: str
    since: str
    answer: str
    """Empty while it waits."""


def contested(refresh: Refresh, path: Path) -> list[Contested]:
    """Those of the file, which wait first. Raises OperatorError where it is no such file."""
    rows = _rows(path)
    found = dict(_sources(refresh, rows))
    told = [
        Contested(
            row["type"],
            row["record"],
            *_place(row, found),
            _words(ContestReason, row["reason"]),
            row["at"],
            row["answer"],
        )
        for row in rows
    ]
    waiting_first = sorted(told, key=lambda each: (each.answer != "", each.since))
    return [each._replace(answer=_words(Answer, each.answer)) for each in waiting_first]


def _rows(path: Path) -> list[dict[str, str]]:
    with given_table(path, fix=TAKEN) as file:
        reader = csv.DictReader(file)
        columns, rows = reader.fieldnames or (), list(reader)
    if missing := [name for name in COLUMNS if name not in columns]:
        raise OperatorError(f"{path}, line 1: no column {', '.join(missing)}", TAKEN)
    return [{name: row[name] or "" for name in COLUMNS} for row in rows]


def _place(row: Mapping[str, str], found: Mapping[bytes, tuple[str, str]]) -> tuple[str, str]:
    if row["type"] == "derived_observation":
        return "", COMPUTED
    return found.get(_ref(row["record"]), ("", NOT_KEPT))


def _ref(record: str) -> bytes:
    """What tells the resource that a record was made from; nothing where the id is none."""
    try:
        return bytes.fromhex(record.removeprefix("r-"))[:REF_BYTES]
    except ValueError:
        return b""


def _sources(refresh: Refresh, rows: list[dict[str, str]]) -> Iterator[tuple[bytes, tuple[str, str]]]:
    """By what tells a resource its reference and place: of the newest line that is kept."""
    wanted: dict[str, set[bytes]] = defaultdict(set)
    for row in rows:
        for name in fhir_types_of(row["type"]) if row["type"] in RECORD_TYPES else ():
            wanted[name].add(_ref(row["record"]))
    mapper = site_mapper(refresh.file, refresh.secrets)
    for name, refs in wanted.items():
        for load, landing in refresh.landing_zone.loads():
            found = {}
            for path in landing.files(name) if refs else ():
                for number, line in enumerate(read_lines(path, cap=refresh.site.limits.line_bytes), start=1):
                    if (
                        not isinstance(line, Problem)
                        and (ref := mapper.record_ids(name, [line])[0][:REF_BYTES]) in refs
                    ):
                        found[ref] = (f"{name}/{ident_of(line)}", f"{load} {path.name}:{number}")
            yield from found.items()
            refs -= found.keys()


def _words(kind: type[ContestReason] | type[Answer], code: str) -> str:
    """A code in words; one of another version as it is."""
    return kind(code).words if code in list(kind) else code
