"""A site's own list of its cohort against what is held: who is missing, by month and by reason.

The list is whatever the EHR's people have: the answer of a value-set query, a clinic's roster. It stays at the site; what is
told of it is counts and pseudonyms.
"""

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from mainstem.refresh.opening import Refresh
from mainstem.state.presence import Held
from schemas.errors import OperatorError
from schemas.given_files import given_table
from transforms.mapped import WHOLE
from transforms.privacy import Pseudonyms

PATIENT = "Patient"
HELD = "held"
REASONS = {
    "merged": ("Nothing: the patient is held under the one that survives.", "network"),
    "refused": ("Mend what `mainstem report` says of the Patient, then `mainstem quarantine retry`.", "site IT"),
    "withdrawn": ("Ask why the Patient was taken away: entered in error, deleted, gone from the source.", "site IT"),
    "without-patient": ("Have the Patient delivered: other resources of this patient came.", "site IT"),
    "not-in-cohort": ("Add the patient to the Group, roster or search that the site file names.", "site IT"),
    "not-loaded": ("See `mainstem gaps list`: Patients are missing.", "site IT"),
    "never-came": (
        "Ask why the EHR's interface leaves the patient out: another id, department, consent or filter.",
        "site IT",
    ),
    "not-published": ("Run `mainstem run`: the record waits.", "site IT"),
    "not-at-registry": ("Look at the registry's dead letters and its lag: `mainstem consumers`.", "network"),
}
"""Why somebody is missing → what to do, and who. Merged is not missing."""
_MONTH = re.compile(r"(\d{4}-(?:0[1-9]|1[0-2]))(?:-\d{2}.*)?")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_NO_MONTH = "no month"


class Listed(NamedTuple):
    """A patient of the list."""

    patient: str
    month: str


class Told(NamedTuple):
    """What became of somebody listed."""

    subject: str
    """The pseudonym."""
    month: str
    reason: str
    """`held`, or why not."""
    detail: str = ""


class Ascertained(NamedTuple):
    """All of them."""

    told: list[Told]
    beyond: int
    """Persons held who are not on the list."""

    def by_month(self) -> dict[str, Counter[str]]:
        """How many by reason."""
        found: dict[str, Counter[str]] = {}
        for each in self.told:
            found.setdefault(each.month, Counter())[each.reason] += 1
        return dict(sorted(found.items()))


def read_list(path: Path) -> list[Listed]:
    """A CSV file with the columns patient (the FHIR id) and month (a month or a date; may be left out).

    Raises OperatorError naming the line, never its content.
    """
    with given_table(path) as file:
        rows = csv.DictReader(file, strict=True)
        if "patient" not in (rows.fieldnames or ()):
            raise OperatorError(f"{path}: no column patient", "The first line must be patient,month")
        listed = [_listed(path, rows.line_num, row) for row in rows]
    return list({each.patient: each for each in reversed(listed)}.values())[::-1]


def _listed(path: Path, line: int, row: dict[str, str | None]) -> Listed:
    patient = (row.get("patient") or "").strip().removeprefix("Patient/")
    month = (row.get("month") or "").strip()
    found = _MONTH.fullmatch(month) if month else None
    if not _ID.fullmatch(patient) or (month and found is None):
        raise OperatorError(
            f"{path}:{line}: no FHIR id, or no month", "patient is a FHIR id, month is written 2026-03 or 2026-03-02."
        )
    return Listed(patient, found[1] if found else _NO_MONTH)


def ascertain(refresh: Refresh, listed: list[Listed], at_registry: Collection[str] | None = None) -> Ascertained:
    """What became of each patient of a list; with the registry's subjects also what did not reach it."""
    pseudonyms = Pseudonyms(refresh.secrets(refresh.site.subject_key))
    held = Held.of(refresh.store, refresh.site.site)
    cohort = refresh.store.cohorts.refs(refresh.site.site) if refresh.site.reads_some else None
    missing = any(gap.resource_type == PATIENT for gap in refresh.store.gaps.of(refresh.site.site))
    told, seen = [], set[bytes]()
    for each in listed:
        ref, subject = pseudonyms.ref(PATIENT, each.patient), pseudonyms.subject(each.patient)
        reason, detail = _reason(held, ref, subject, cohort, missing=missing)
        surviving = held.surviving.get(subject, subject)
        seen.add(surviving)
        if reason in (HELD, "merged") and at_registry is not None and f"s-{surviving.hex()}" not in at_registry:
            reason = "not-published" if surviving in held.waiting else "not-at-registry"
        told.append(Told(f"s-{subject.hex()}", each.month, reason, detail))
    return Ascertained(told, len(held.persons - seen))


def _reason(
    held: Held, ref: bytes, subject: bytes, cohort: Collection[bytes] | None, *, missing: bool
) -> tuple[str, str]:
    if (surviving := held.surviving.get(subject)) is not None and surviving in held.persons:
        return "merged", ""
    if subject in held.persons:
        return HELD, ""
    if (why := held.refused.get(ref)) is not None:
        return "refused", why
    if ref + WHOLE in held.withdrawn:
        return "withdrawn", ""
    if held.has_others(subject):
        return "without-patient", ""
    if cohort is not None and ref not in cohort:
        return "not-in-cohort", ""
    return ("not-loaded" if missing else "never-came"), ""


def rows(found: Ascertained) -> Iterator[tuple[str, str, str, str]]:
    """For a file that may be taken to the registry: pseudonym, month, reason, detail."""
    yield "subject", "month", "reason", "detail"
    yield from found.told
