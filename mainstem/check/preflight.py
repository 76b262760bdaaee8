"""`mainstem check`: proves that a site can be read before its first run, by reading a little of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal

import httpx2

from connectors.client.auth import Secrets
from connectors.client.capabilities import Capabilities, ask_capabilities
from connectors.client.fhir_client import FhirClient, Sleep
from connectors.pulling import open_client, road_of, utc_now
from connectors.roads.files import UNKNOWN, files_by_type, first_type
from connectors.roads.search import read_one
from schemas.errors import IncompleteError, MainstemError, OperatorError
from schemas.sites import Site

Who = Literal["site IT", "EHR vendor", "network"]
ATTEMPTS = 2
"""A check answers soon; a run is more patient."""


@dataclass(frozen=True)
class Finding:
    """One thing that was tried."""

    name: str
    ok: bool
    what: str
    """What was seen, or the cause."""
    fix: str = ""
    """What to do."""
    who: Who | Literal[""] = ""
    """Who can do it."""


def check(
    site: Site,
    *,
    folder: Path,
    secrets: Secrets,
    transport: httpx2.BaseTransport | None = None,
    clock: Callable[[], datetime] = utc_now,
    sleep: Sleep = time.sleep,
) -> list[Finding]:
    """Everything tried at a site, in order; stops where nothing further can be told. Raises nothing a site can cause."""
    findings = [_tried("subject key", "network", lambda: _subject_key(site, secrets))]
    if site.fhir is None or site.road == "files":
        return findings + _check_files(site, folder)
    try:
        client = open_client(
            site, folder=folder, secrets=secrets, clock=clock, transport=transport, sleep=sleep, attempts=ATTEMPTS
        )
    except MainstemError as exc:
        return [*findings, Finding("configuration", False, exc.cause, exc.fix, "network")]
    with client:
        return findings + _check_server(site, client)


def _tried(name: str, who: Who, attempt: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, attempt())
    except MainstemError as exc:
        return Finding(name, False, exc.cause, exc.fix, who)


def _subject_key(site: Site, secrets: Secrets) -> str:
    size = len(secrets(site.subject_key))
    if size < 32:
        raise OperatorError(
            f"the subject key has {size} bytes; at least 32 are needed", "Make one with `mainstem sites key`."
        )
    return f"{size} bytes"


def _check_server(site: Site, client: FhirClient) -> list[Finding]:
    findings: list[Finding] = []
    said: list[Capabilities] = []

    def capabilities() -> str:
        said.append(ask_capabilities(client))
        return f"FHIR {said[0].fhir_version}, {said[0].software or 'software not named'}, vendor {client.vendor.title}"

    findings.append(_tried("capability statement", "site IT", capabilities))
    if not said:
        return findings
    findings.append(_tried("log-in", "site IT", lambda: _log_in(site, client)))
    if not findings[-1].ok:
        return findings
    if road_of(site, said[0]) == "bulk":
        findings.append(_tried("bulk export", "EHR vendor", lambda: _export(site, said[0])))
    findings += [_tried(name, "site IT", partial(read_one, client, name)) for name in site.types]
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


def _check_files(site: Site, folder: Path) -> list[Finding]:
    if site.files is None:
        return [Finding("files", False, "no folder is named", "Add a [files] section with folder.", "network")]
    path = folder / site.files.folder
    cap = site.limits.line_bytes
    try:
        found = files_by_type(path, list(site.types), cap=cap)
    except (MainstemError, OSError) as exc:
        cause, fix = (
            (exc.cause, exc.fix) if isinstance(exc, MainstemError) else (f"{path} cannot be read", "Check permissions.")
        )
        return [Finding("folder", False, cause, fix, "site IT")]
    findings = [Finding("folder", True, str(path))]
    if unknown := found.get(UNKNOWN):
        fault = f"{len(unknown)} files whose resource type cannot be told"
        findings.append(
            Finding("files", False, fault, "Deliver NDJSON, one resource a line; name files by type.", "site IT")
        )
    for name in site.types:
        findings.append(_tried(name, "site IT", partial(_type_files, name, found.get(name, []), cap)))
    return findings


def _type_files(name: str, paths: list[Path], cap: int) -> str:
    if not paths:
        raise IncompleteError(
            "no file holds it", f"Deliver {name}.ndjson, or take {name} out of types in the site file."
        )
    first = first_type(paths[0], cap=cap)
    if first != name:
        fault = "no line that is a FHIR resource" if first == UNKNOWN else "another type than its name says"
        raise IncompleteError(f"the first file begins with {fault}", "Deliver it again, one FHIR resource a line.")
    return (
        f"{len(paths)} file{'s' if len(paths) != 1 else ''}, {sum(path.stat().st_size for path in paths) / 1e6:,.1f} MB"
    )
