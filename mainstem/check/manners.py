"""Probe: what the vendor wants known before the first run, and what of the site file it will not take."""

from mainstem.check.finding import Finding, failed
from mainstem.check.probe import Probe, Visit
from schemas.errors import IncompleteError


def _look(visit: Visit) -> list[Finding]:
    client = visit.client
    if client is None or visit.capabilities is None:
        return []
    advice = client.vendor.advice
    findings = [Finding("vendor", True, f"{client.vendor.title}: {advice}")] if advice else []
    given = visit.source.fhir.bulk_parameters.get("_typeFilter", [])
    if faults := client.vendor.filter_faults([given] if isinstance(given, str) else given):
        error = IncompleteError(
            f"an export does not take the filters asked for: {'; '.join(faults)}",
            f"Change _typeFilter in fhir.bulk_parameters: {client.vendor.title} refuses the export.",
        )
        findings.append(failed("type filter", error))
    return findings


PROBE = Probe(_look, after="log_in")
