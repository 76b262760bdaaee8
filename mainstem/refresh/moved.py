"""Patients who have other ids from some day on: a hospital changed its EHR, or numbered its patients anew.

Their subjects become aliases of the new ones before the new EHR is read, so that nobody counts twice and what only the old EHR
held stays, under who it is about.
"""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from mainstem.refresh.door import locked
from mainstem.refresh.opening import Refresh
from schemas.errors import OperatorError
from schemas.given_files import given_table
from transforms.privacy.pseudonyms import Pseudonyms

COLUMNS = ("old", "new")
_ID = re.compile(r"(?:Patient/)?([A-Za-z0-9.\-]{1,255})")


class Pair(NamedTuple):
    """A patient's FHIR id before and now."""

    old: str
    new: str


class Moves(NamedTuple):
    """What was done."""

    patients: int
    known: int
    """Of these, said before."""
    records: int
    """That went over."""


def pairs_of(path: Path) -> list[Pair]:
    """The lines of a CSV file. Raises OperatorError naming the line of what cannot be meant, never what stands in it."""
    found: dict[str, str] = {}
    with given_table(path) as file:
        rows = csv.DictReader(file)
        if not set(COLUMNS) <= set(rows.fieldnames or ()):
            raise OperatorError(f"{path}: has no columns old and new", "Name them so in its first line.")
        for number, row in enumerate(rows, 2):
            old, new = (_ID.fullmatch((row[name] or "").strip()) for name in COLUMNS)
            if old is None or new is None:
                raise OperatorError(f"{path}, line {number}: no FHIR id", "Write Patient.id: letters, digits, - and .")
            if found.setdefault(old[1], new[1]) != new[1]:
                raise OperatorError(f"{path}, line {number}: a patient has two new ids", "Leave the right one.")
    return [Pair(old, new) for old, new in found.items() if old != new]


def record_moves(refresh: Refresh, pairs: Sequence[Pair], why: str, at: datetime) -> Moves:
    """Makes each old subject an alias of the new one. Raises BusyError while somebody refreshes the site."""
    subject = Pseudonyms(refresh.secrets(refresh.site.subject_key)).subject
    aliases, site = refresh.store.aliases, refresh.site.site
    with locked(refresh, "plan"):
        known = {(each.old, each.surviving) for each in aliases.of(site)}
        new = [pair for pair in _subjects(pairs, subject) if pair not in known]
        records = sum(aliases.add(site, old, surviving, why, at) for old, surviving in new)
    return Moves(len(pairs), len(pairs) - len(new), records)


def _subjects(pairs: Sequence[Pair], subject: Callable[[str], bytes]) -> Iterator[tuple[bytes, bytes]]:
    return ((subject(pair.old), subject(pair.new)) for pair in pairs)
