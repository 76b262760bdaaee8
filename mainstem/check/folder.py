"""Probe: is the folder there, does it hold a whole delivery, and can its files be told apart?"""

from connectors.sorting import UNKNOWN, delivered
from mainstem.check.finding import Finding, failed
from mainstem.check.probe import Probe, Visit
from schemas.errors import IncompleteError, MainstemError, OperatorError


def _look(visit: Visit) -> list[Finding]:
    site = visit.site
    if not visit.reads_files:
        return _beside_a_server(visit)
    if site.files is None:
        return [failed("files", OperatorError("no folder is named", "Add a [files] section with folder."))]
    path = visit.source.files
    try:
        delivery, found = delivered(visit.source)
    except MainstemError as exc:
        return [failed("folder", exc)]
    visit.delivered = found
    findings = [Finding("folder", True, str(path))]
    if delivery.refused:
        fault = IncompleteError(
            f"{len(delivery.refused)} links, pipes or folders that may not be opened; they are not read",
            "Deliver plain files into plain folders.",
            who="site IT",
        )
        findings.append(failed("links", fault))
    if unknown := found.get(UNKNOWN):
        fault = IncompleteError(
            f"{len(unknown)} files whose resource type cannot be told",
            "Deliver NDJSON, one resource a line; name files by type.",
            who="site IT",
        )
        findings.append(failed("files", fault))
    return findings


def _beside_a_server(visit: Visit) -> list[Finding]:
    """Nothing but where somebody may have meant the folder."""
    if visit.site.files is None or visit.site.road != "auto":
        return []
    fault = IncompleteError(
        "the folder is not read: there is a [fhir] section, too",
        'Set road = "files" to read the folder, or take [files] out; of a server road is "search" or "bulk".',
    )
    return [failed("files", fault)]


PROBE = Probe(_look, after="subject_key")
