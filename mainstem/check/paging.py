"""Probe: do pages lead to others, and do searches heed `_lastUpdated`? Without, every night reads everything."""

from connectors.client.fhir_client import FhirClient
from connectors.completeness import honours_last_updated
from mainstem.check.finding import Finding, failed
from mainstem.check.probe import Probe, Sample, Visit
from schemas.errors import IncompleteError


def _look(visit: Visit) -> list[Finding]:
    client, sample = visit.client, visit.sampled()
    if client is None or visit.capabilities is None or not sample.size:
        return []
    return [*_pages(sample), *_updates(client, sample)]


def _pages(sample: Sample) -> list[Finding]:
    cut = sorted(
        name for name, total in sample.totals.items() if total > len(sample.lines[name]) > 0 and not sample.more[name]
    )
    if cut:
        fault = IncompleteError(
            f"more is counted than came, and no next page is linked, of {', '.join(cut)}",
            "Give paging links; another fhir.page_size may do until then.",
            who="EHR vendor",
        )
        return [failed("paging", fault)]
    linked = sorted(name for name, more in sample.more.items() if more)
    return [Finding("paging", True, f"next pages are linked, of {', '.join(linked)}")] if linked else []


def _updates(client: FhirClient, sample: Sample) -> list[Finding]:
    """Asked of one type: the first that has something."""
    name = next(name for name, lines in sample.lines.items() if lines)
    heeded = honours_last_updated(client, name, ())
    if heeded is None:
        return [Finding("updates", True, f"{name}: whether _lastUpdated is heeded could not be told; a run proves it")]
    if heeded:
        return [Finding("updates", True, f"{name}: _lastUpdated is heeded: a night reads what changed")]
    fault = IncompleteError(
        f"{name}: the server does not heed _lastUpdated: every night reads everything again",
        "Let searches heed _lastUpdated; until then reading takes longer, and is right.",
        who="EHR vendor",
    )
    return [failed("updates", fault)]


PROBE = Probe(_look, after="pages", closer=True)
