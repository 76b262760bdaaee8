"""Probes of a folder of files: is it there, does it hold each type?"""

from functools import partial
from pathlib import Path

from connectors.delivery import look_into
from connectors.roads.files import UNKNOWN, files_by_type, first_type
from mainstem.check.finding import Finding, failed, tried
from schemas.errors import IncompleteError, MainstemError, OperatorError
from schemas.sites import Site


def check_folder(site: Site, folder: Path) -> list[Finding]:
    """Everything tried at the folder; `folder` is where paths of the site file begin."""
    if site.files is None:
        return [failed("files", "network", OperatorError("no folder is named", "Add a [files] section with folder."))]
    path = folder / site.files.folder
    cap = site.limits.line_bytes
    try:
        delivery = look_into(path)
        found = files_by_type(delivery, list(site.types), cap=cap)
    except MainstemError as exc:
        return [failed("folder", "site IT", exc)]
    findings = [Finding("folder", True, str(path))]
    if delivery.refused:
        fault = IncompleteError(
            f"{len(delivery.refused)} links, pipes or folders that may not be opened; they are not read",
            "Deliver plain files into plain folders.",
        )
        findings.append(failed("links", "site IT", fault))
    if unknown := found.get(UNKNOWN):
        fault = IncompleteError(
            f"{len(unknown)} files whose resource type cannot be told",
            "Deliver NDJSON, one resource a line; name files by type.",
        )
        findings.append(failed("files", "site IT", fault))
    for name in site.types:
        attempt = partial(_type_files, name, found.get(name, []), cap)
        findings.append(tried(name, "site IT", attempt, resource_type=name))
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
