"""Numbers that end in 0 more often than the others': read by eye and rounded, or filled in."""

from collections import Counter
from collections.abc import Iterator

from services.registry.across import Check
from services.registry.across.counting.counts import Counts
from services.registry.across.kinds.far import Figure, share

BY_HAND = {
    "8480-6": "systolic blood pressure",
    "8462-4": "diastolic blood pressure",
    "8302-2": "height",
    "29463-7": "weight",
    "8867-4": "heart rate",
    "9843-4": "head circumference",
}
"""Of what is measured by hand."""


def _figures(counts: Counts) -> Iterator[Figure]:
    looked, found = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for (site, code, digit), count in counts.digits.items():
        if code in BY_HAND:
            looked[code, site] += count
            found[code, site] += count if digit == "0" else 0
    for (code, site), numbers in sorted(looked.items()):
        of = f"observation {code} ({BY_HAND[code]}) ending in 0"
        yield share(of, f"observation {code}", site, found[code, site], numbers)


CHECK = Check(
    what="how many numbers that are measured by hand end in 0",
    harm=1,
    tolerated=0.06,
    least=100,
    source="judgement, to be approved: one in ten by chance; 10 % and 27 %, or 25 % and 45 %, lie far apart",
    fix="Ask how it is measured there: automated devices and training lessen rounding; whole tens shift who is above a threshold.",
    who="network",
    figures=_figures,
)
