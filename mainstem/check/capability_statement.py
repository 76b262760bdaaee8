"""Probe: does a FHIR R4 server answer, and over an encrypted connection?"""

from connectors.client.capabilities import ask_capabilities
from connectors.client.fhir_client import FhirClient
from mainstem.check.finding import Finding, tried
from mainstem.check.probe import Probe, Visit


def _look(visit: Visit) -> list[Finding]:
    client = visit.client
    if client is None:
        return []
    in_the_open = [Finding("encryption", True, sentence) for sentence in client.origins.in_the_open]
    return [*in_the_open, tried("capability statement", "site IT", lambda: _ask(visit, client))]


def _ask(visit: Visit, client: FhirClient) -> str:
    said = visit.capabilities = ask_capabilities(client)
    return f"FHIR {said.fhir_version}, {said.software or 'software not named'}, vendor {client.vendor.title}"


PROBE = Probe(_look, after="subject_key")
