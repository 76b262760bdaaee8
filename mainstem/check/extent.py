"""Probe: how much the first load reads, and how long it takes: for whoever is asked when it may run."""

from math import ceil

from connectors.pulling import road_of
from connectors.sorting import DeliveryPart
from mainstem.check.finding import Finding
from mainstem.check.probe import Probe, Sample, Visit
from schemas.sites import Fhir

HOUR, MINUTE, MEGABYTE = 3600, 60, 1_000_000
A_SECOND = 5_000
"""Resources that a slow machine takes from files onto the stream in a second."""
PACKED = (".gz", ".zip")


def _look(visit: Visit) -> list[Finding]:
    sample, fhir = visit.sampled(), visit.site.fhir
    if not sample.size:
        return []
    what = _of_folder(visit, sample) if visit.reads_files or fhir is None else _of_server(visit, sample, fhir)
    return [Finding("first load", True, what)]


def _of_server(visit: Visit, sample: Sample, fhir: Fhir) -> str:
    if not sample.totals:
        return "how much there is cannot be told before it is read: the server counts no type"
    total = sum(sample.totals.values())
    untold = sorted(set(sample.lines) - set(sample.totals))
    beside = f"; not counted by the server: {', '.join(untold)}" if untold else ""
    whose = "; of all patients, the cohort's are fewer" if visit.site.reads_some else ""
    if road_of(visit.site, visit.capabilities) == "bulk":
        return f"about {total:,} resources by one export, as long as the server takes to make it{beside}{whose}"
    requests = sum(ceil(count / fhir.page_size) or 1 for count in sample.totals.values())
    seconds = max(requests / fhir.requests_per_second, sample.seconds / sample.size * total / visit.site.parallel)
    many = f"about {total:,} resources in {requests:,} requests of {fhir.page_size}"
    return f"{many}, {_in_words(seconds)} as fast as this sample{beside}{whose}"


def _of_folder(visit: Visit, sample: Sample) -> str:
    parts = {part for found in (visit.delivered or {}).values() for part in found}
    size = sum(part.size for part in parts)
    held = f"{len(parts)} file{'s' if len(parts) != 1 else ''}, {size / MEGABYTE:,.1f} MB"
    if any(part.path.suffix in PACKED for part in parts if part.member is None):
        return f"{held}, packed: how much is in them cannot be told before they are read"
    total = sum(_lines_in(visit.delivered or {}, name, found) for name, found in sample.lines.items() if found)
    return f"about {total:,} resources in {held}; {_in_words(total / A_SECOND)} at {A_SECOND:,} a second"


def _lines_in(delivered: dict[str, list[DeliveryPart]], name: str, found: list[bytes]) -> int:
    """How many a type's files hold, its lines as long as those that were looked at: a Patient's are longer than an Observation's."""
    size = sum(part.size for part in delivered.get(name, []))
    return max(len(found), round(size * len(found) / sum(len(line) + 1 for line in found)))


def _in_words(seconds: float) -> str:
    if seconds >= HOUR:
        return f"{seconds / HOUR:.1f} h"
    return f"{seconds / MINUTE:.0f} min" if seconds >= MINUTE else "less than a minute"


PROBE = Probe(_look, after="meaning", closer=True)
