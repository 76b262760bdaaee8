"""Probe: does a FHIR R4 server answer, over an encrypted connection, and whose is it?"""

from connectors.client.capabilities import Capabilities, meet
from connectors.client.fhir_client import FhirClient
from mainstem.check.finding import Finding, tried
from mainstem.check.probe import Probe, Visit


def _look(visit: Visit) -> list[Finding]:
    client = visit.client
    if client is None:
        return []
    in_the_open = [Finding("encryption", True, sentence) for sentence in client.origins.in_the_open]
    return [*in_the_open, tried("capability statement", lambda: _ask(visit, client))]


def _ask(visit: Visit, client: FhirClient) -> str:
    said = visit.capabilities = meet(client, hidden=visit.site.road != "auto")
    vendor = f"vendor {client.vendor.title} ({_how(visit, said)})"
    if said.hidden:
        return f'not shown; road = "{visit.site.road}" does without it; {vendor}'
    return f"FHIR {said.fhir_version}, {said.software or 'software not named'}, {vendor}"


def _how(visit: Visit, said: Capabilities) -> str:
    """By what the vendor is known; where the site file says another than the server, both."""
    named = visit.source.fhir.vendor
    if named is None:
        return f"told by its {said.told_by}" if said.told_by else "nothing tells another"
    return (
        f"by the site file; the server looks like {said.vendor}"
        if said.vendor not in ("", named)
        else "by the site file"
    )


PROBE = Probe(_look, after="subject_key")
