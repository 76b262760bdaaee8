"""`mainstem check`: proves that a site can be read before its first run, by reading a little of it. A file a probe.

A probe says what it saw or why it failed, what to do and who can do it; a failure keeps its kind. Reads an EHR or a
folder; touches no database and no broker.
"""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import httpx2

from connectors.client.auth import Secrets
from connectors.client.fhir_client import Sleep
from connectors.pulling import open_client, utc_now
from mainstem.check.finding import Finding, failed
from mainstem.check.folder import check_folder
from mainstem.check.server import check_server
from mainstem.check.subject_key import check_subject_key
from schemas.errors import MainstemError
from schemas.sites import Site

__all__ = ["Finding", "check_site"]

ATTEMPTS = 2
"""A check answers soon; a run is more patient."""


def check_site(
    site: Site,
    *,
    folder: Path,
    secrets: Secrets,
    transport: httpx2.BaseTransport | None = None,
    clock: Callable[[], datetime] = utc_now,
    sleep: Sleep = time.sleep,
) -> list[Finding]:
    """Everything tried at a site, in order; stops where nothing further can be told. Raises nothing a site can cause."""
    findings = [check_subject_key(site, secrets)]
    if site.fhir is None or site.road == "files":
        return findings + check_folder(site, folder)
    try:
        client = open_client(
            site, folder=folder, secrets=secrets, clock=clock, transport=transport, sleep=sleep, attempts=ATTEMPTS
        )
    except MainstemError as exc:
        return [*findings, failed("configuration", "network", exc)]
    with client:
        return findings + check_server(site, client)
