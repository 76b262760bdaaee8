"""Who has a kind of record, or a code: a department whose feed is missing, a code under another name."""

from collections.abc import Iterator

from services.registry.across import Check
from services.registry.across.counting.counts import Counts
from services.registry.across.kinds.far import Figure, share

_COMMON = 0.1
"""What nowhere one in ten has is not compared."""


def _figures(counts: Counts) -> Iterator[Figure]:
    common = {
        (kind, code)
        for (site, kind, code), found in counts.having.items()
        if kind != "person" and found >= _COMMON * counts.persons.get(site, 0)
    }
    for kind, code in sorted(common):
        of = f"{kind} {code}".strip()
        for site, persons in counts.persons.items():
            yield share(of, of, site, counts.having.get((site, kind, code), 0), persons)


CHECK = Check(
    what="how many of a site's persons have a record of a type, or of a code",
    harm=2,
    tolerated=0.1,
    least=50,
    source="judgement, to be approved: clinics see different children; 50 % and 82 %, or 90 % and 61 %, lie far apart",
    fix="Ask whether the department delivers, and under which code: `mainstem gaps list` and `mainstem codes unmapped` at the site.",
    figures=_figures,
)
