"""`mainstem check`: proves that a site can be read before its first run, by reading a little of it. A file a probe.

A probe says what it saw or why it failed, what to do and who can do it; a failure keeps its kind. Reads an EHR or a
folder; touches no database and no broker. To add one, write a file here that declares PROBE; it is found by its name.
"""

import importlib
import pkgutil
from contextlib import nullcontext
from dataclasses import replace

from connectors.pulling import Source
from mainstem.check.finding import Finding, failed
from mainstem.check.probe import Probe, Visit
from schemas.errors import MainstemError

__all__ = ["Finding", "check_site"]

ATTEMPTS = 2
"""A check answers soon; a run is more patient."""


def check_site(source: Source, *, closer: bool = False) -> list[Finding]:
    """Everything tried at a site, in order; stops where nothing further can be told. Raises nothing a site can cause.

    `closer`: what comes is looked into, too, for whoever connects the site.
    """
    visit = Visit(replace(source, attempts=ATTEMPTS))
    findings: list[Finding] = []
    if not visit.reads_files:
        try:
            visit.client = visit.source.client()
        except MainstemError as exc:
            findings.append(failed("configuration", exc))
    with visit.client or nullcontext():
        for probe in probes():
            if closer or not probe.closer:
                findings += probe.look(visit)
    return findings


def probes() -> list[Probe]:
    """Every probe of this folder, each behind the one that it needs."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    found = {name: importlib.import_module(f"{__name__}.{name}") for name in names}
    declared: dict[str, Probe] = {name: module.PROBE for name, module in found.items() if hasattr(module, "PROBE")}

    def depth(name: str) -> int:
        after = declared[name].after
        return 1 + depth(after) if after else 0

    return [declared[name] for name in sorted(declared, key=lambda name: (depth(name), name))]
