"""`mainstem check`: proves that a site can be read before its first run, by reading a little of it. A file a probe.

A probe says what it saw or why it failed, what to do and who can do it; a failure keeps its kind. Reads an EHR or a
folder; touches no database and no broker.
"""

from dataclasses import replace

from connectors.pulling import Source
from mainstem.check.finding import Finding, failed
from mainstem.check.folder import check_folder
from mainstem.check.server import check_server
from mainstem.check.subject_key import check_subject_key
from schemas.errors import MainstemError

__all__ = ["Finding", "check_site"]

ATTEMPTS = 2
"""A check answers soon; a run is more patient."""


def check_site(source: Source) -> list[Finding]:
    """Everything tried at a site, in order; stops where nothing further can be told. Raises nothing a site can cause."""
    site = source.site
    findings = [check_subject_key(site, source.secrets)]
    if site.fhir is None or site.road == "files":
        return findings + check_folder(site, source.folder)
    try:
        client = replace(source, attempts=ATTEMPTS).client()
    except MainstemError as exc:
        return [*findings, failed("configuration", "network", exc)]
    with client:
        return findings + check_server(site, client)
