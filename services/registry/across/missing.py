"""Fields that are empty at one site and filled at the others."""

from collections.abc import Iterator

from services.registry.across import Check
from services.registry.across.counting.counts import Counts
from services.registry.across.kinds.far import Figure, share


def _figures(counts: Counts) -> Iterator[Figure]:
    filled = {(kind, name) for (_, kind, name), count in counts.filled.items() if count}
    for kind, name in sorted(filled):
        for (site, other), records in counts.records.items():
            if other == kind and records:
                empty = records - counts.filled.get((site, kind, name), 0)
                yield share(f"{kind}.{name}", kind, site, empty, records)


CHECK = Check(
    what="how many records lack a field",
    harm=2,
    tolerated=0.08,
    least=50,
    source="judgement, to be approved: none and 8 %, or 10 % and 35 %, lie far apart",
    fix="Ask whether the EHR fills the field and the interface sends it; `mainstem quality` at the site says how it was before.",
    figures=_figures,
)
