"""Probe: how much the first load reads, and how long it takes: for whoever is asked when it may run."""

from math import ceil

from mainstem.check.finding import Finding
from mainstem.check.probe import Probe, Visit

HOUR, MINUTE = 3600, 60


def _look(visit: Visit) -> list[Finding]:
    sample, fhir = visit.sampled(), visit.site.fhir
    if fhir is None or not sample.size or not sample.totals:
        return []
    total = sum(sample.totals.values())
    requests = sum(ceil(count / fhir.page_size) or 1 for count in sample.totals.values())
    seconds = max(requests / fhir.requests_per_second, sample.seconds / sample.size * total / visit.site.parallel)
    untold = sorted(set(sample.lines) - set(sample.totals))
    beside = f"; not counted by the server: {', '.join(untold)}" if untold else ""
    return [
        Finding(
            "first load",
            True,
            f"about {total:,} resources in {requests:,} requests of {fhir.page_size}, {_in_words(seconds)} as fast as this sample{beside}",
        )
    ]


def _in_words(seconds: float) -> str:
    if seconds >= HOUR:
        return f"{seconds / HOUR:.1f} h"
    return f"{seconds / MINUTE:.0f} min" if seconds >= MINUTE else "less than a minute"


PROBE = Probe(_look, after="meaning", closer=True)
