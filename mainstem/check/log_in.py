"""Probe: does the server let us in?"""

from connectors.client.fhir_client import FhirClient
from mainstem.check.finding import Finding, tried
from mainstem.check.probe import Probe, Visit


def _look(visit: Visit) -> list[Finding]:
    client = visit.client
    if client is None or visit.capabilities is None:
        return []
    finding = tried("log-in", lambda: _log_in(visit, client))
    visit.logged_in = finding.ok
    return [finding]


def _log_in(visit: Visit, client: FhirClient) -> str:
    """Any request fetches the token; the capability statement costs the server least, even where it shows none."""
    method = visit.source.fhir.auth.method
    hidden = visit.capabilities is not None and visit.capabilities.hidden
    accepted = (200, 400, 403, 404, 405, 410, 501) if hidden else (200,)
    if method != "none":
        client.ask("GET", client.url("metadata"), what="the log-in", accepted=accepted)
    return method


PROBE = Probe(_look, after="capability_statement")
