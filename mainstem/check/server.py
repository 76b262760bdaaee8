"""Probes of a FHIR server: capability statement, log-in, export, one page of each type."""

from functools import partial

from connectors.client.capabilities import Capabilities, ask_capabilities
from connectors.client.fhir_client import FhirClient
from connectors.pulling import readable, road_of
from connectors.roads.search import read_one
from mainstem.check.finding import Finding, tried
from schemas.errors import IncompleteError
from schemas.sites import Site


def check_server(site: Site, client: FhirClient) -> list[Finding]:
    """Everything tried at the server, in order; stops where nothing further can be told."""
    findings = [Finding("encryption", True, sentence) for sentence in client.origins.in_the_open]
    said: list[Capabilities] = []

    def capabilities() -> str:
        said.append(ask_capabilities(client))
        return f"FHIR {said[0].fhir_version}, {said[0].software or 'software not named'}, vendor {client.vendor.title}"

    findings.append(tried("capability statement", "site IT", capabilities))
    if not said:
        return findings
    findings.append(tried("log-in", "site IT", lambda: _log_in(site, client)))
    if not findings[-1].ok:
        return findings
    if road_of(site, said[0]) == "bulk":
        findings.append(tried("bulk export", "EHR vendor", lambda: _export(site, said[0])))
    types = readable(site, said[0])
    findings += [tried(name, "site IT", partial(read_one, client, name), resource_type=name) for name in types]
    return findings


def _log_in(site: Site, client: FhirClient) -> str:
    """Any request fetches the token; the capability statement costs the server least."""
    assert site.fhir is not None
    if site.fhir.auth.method != "none":
        client.ask("GET", client.url("metadata"), what="the log-in", accepted=(200,))
    return site.fhir.auth.method


def _export(site: Site, capabilities: Capabilities) -> str:
    """Not kicked off: some servers allow one a day."""
    assert site.fhir is not None
    if not capabilities.exports:
        raise IncompleteError(
            "the capability statement advertises no $export; a run tries it all the same",
            'Ask whether it is licensed and switched on, or set road = "search".',
        )
    if site.fhir.group and "Group" not in capabilities.exports:
        raise IncompleteError(
            "the server advertises no export of a Group", "Ask whether it is switched on; or leave fhir.group out."
        )
    return f"advertised for {', '.join(capabilities.exports)}"
