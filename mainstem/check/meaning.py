"""Probe: what the mapping makes of a sample: what is refused, which codes have a meaning, units, elements that are missing."""

import json
from collections import Counter

from mainstem.check.finding import Finding, failed
from mainstem.check.probe import Probe, Visit
from mainstem.check.subject_key import LEAST
from schemas.errors import IncompleteError, MainstemError
from schemas.gaps import Who
from schemas.problems import Reason, who_acts
from transforms.fhir.us_core import missing

CODED, NO_UNIT = "code-unmapped", "unit-missing"
UNITS = (Reason.UNKNOWN_UNIT, Reason.UNIT_MISMATCH, Reason.UNIT_CONTRADICTED)
MOSTLY = 0.8
"""Of the codes, below which somebody should fill in the site's code map before the first load."""
HALF = 0.5
"""Of a type's resources, above which a missing element is not chance."""
ENOUGH, NAMED = 3, 8


def _look(visit: Visit) -> list[Finding]:
    if not visit.sampled().size:
        return []
    try:
        mapped = visit.mapped()
    except MainstemError as exc:
        return [] if _is_told(visit) else [failed("sample", exc)]
    refused = Counter(mapped.refused)
    return [
        _mapped(visit.sampled().size, len(mapped.records), refused),
        *_codes(len(mapped.records), mapped.flags.get(CODED, 0), len(mapped.unmapped)),
        *_units(refused, mapped.flags.get(NO_UNIT, 0)),
        *_elements(visit),
    ]


def _is_told(visit: Visit) -> bool:
    """Whether the subject key is at fault, of which its own finding tells."""
    try:
        return len(visit.source.secrets(visit.site.subject_key)) < LEAST
    except MainstemError:
        return True


def _mapped(read: int, records: int, refused: Counter[Reason]) -> Finding:
    worst = next((reason for reason, _ in refused.most_common() if not reason.expected), None)
    told = ", ".join(f"{count} × {reason.value}" for reason, count in refused.most_common())
    if worst is None:
        return Finding("sample", True, f"{read} resources gave {records} records{f'; {told}' if told else ''}")
    who: Who = "EHR vendor" if who_acts(worst) == "EHR vendor" else "site IT"
    fault = IncompleteError(f"{read} resources gave {records} records; {told}", f"{worst.meaning} {worst.fix}", who=who)
    return failed("sample", fault)


def _codes(records: int, without: int, kinds: int) -> list[Finding]:
    if not records:
        return []
    what = f"{100 * (records - without) / records:.0f} % of {records} records have a code of the network's systems"
    if records - without >= MOSTLY * records:
        return [Finding("codes", True, what)]
    fault = IncompleteError(
        f"{what}; {kinds} different codes have no meaning there",
        "Load the site, then `mainstem codes suggest` writes a code map to check and to name in the site file.",
    )
    return [failed("codes", fault)]


def _units(refused: Counter[Reason], missing_units: int) -> list[Finding]:
    unknown = sum(refused[reason] for reason in UNITS)
    without = f"{missing_units} values without a unit, kept and flagged"
    if not unknown:
        return [Finding("units", True, without)] if missing_units else []
    fault = IncompleteError(
        f"{unknown} values in units that are not known or do not fit{f'; {without}' if missing_units else ''}",
        "Send units as UCUM (valueQuantity.code).",
        who="EHR vendor",
    )
    return [failed("units", fault)]


def _elements(visit: Visit) -> list[Finding]:
    """Of what US Core demands, that without which most consumers can do little; the most frequent first."""
    lacking, read = Counter[str](), Counter[str]()
    for line in (line for lines in visit.sampled().lines.values() for line in lines):
        try:
            document = json.loads(line)
        except ValueError:
            continue  # counted among what is refused
        if isinstance(document, dict):
            read[str(document.get("resourceType"))] += 1
            lacking.update(sorted({found.partition(":")[0] for found in missing(document)}))
    shares = {path: count / read[path.partition(".")[0]] for path, count in lacking.most_common()}
    if not shares:
        return []
    told = ", ".join(f"{path} in {100 * share:.0f} %" for path, share in list(shares.items())[:NAMED])
    if not any(share > HALF and read[path.partition(".")[0]] >= ENOUGH for path, share in shares.items()):
        return [Finding("elements", True, f"must-haves of US Core that are missing: {told}")]
    fault = IncompleteError(
        f"must-haves of US Core that are missing: {told}",
        "Send these elements; US Core demands them.",
        who="EHR vendor",
    )
    return [failed("elements", fault)]


PROBE = Probe(_look, after="midnights", closer=True)
