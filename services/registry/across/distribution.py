"""Where the numbers of a code lie: a unit that is called another, a field in another's place."""

from collections import defaultdict
from collections.abc import Iterator
from math import sqrt
from statistics import median

from services.registry.across import Check
from services.registry.across.counting.counts import Counts, Numbers
from services.registry.across.kinds.far import Figure

_IQR = 1.349
"""Standard deviations between the quartiles of a normal distribution."""
_MEDIAN = 1.2533
"""The standard error of a median, in that of a mean."""
_FACTORS = {
    "pounds for kilograms?": 2.20462,
    "inches for centimetres?": 1 / 2.54,
    "mmol/L for mg/dL of glucose?": 1 / 18.016,
    "µmol/L for mg/dL of creatinine?": 88.42,
    "a tenth?": 0.1,
    "tenfold?": 10.0,
    "a hundredth?": 0.01,
    "a hundredfold?": 100.0,
    "a thousandth?": 0.001,
    "a thousandfold?": 1000.0,
}


def _figures(counts: Counts) -> Iterator[Figure]:
    found: dict[tuple[str, str], dict[str, Numbers]] = defaultdict(dict)
    for (site, code, unit), numbers in counts.numbers.items():
        found[code, unit][site] = numbers
    for (code, unit), sites in sorted(found.items()):
        widths = [(each.high - each.low) / _IQR for each in sites.values()]
        width, middle = median(widths), median(each.middle for each in sites.values())
        if width <= 0:
            continue
        for site, numbers in sites.items():
            persons = counts.having.get((site, "observation", code), numbers.total)
            error = _MEDIAN / sqrt(max(persons, 1))
            said = _factor(numbers.middle / middle) if middle else ""
            of, thing = f"observation {code} {unit}".strip(), f"observation {code}"
            yield Figure(
                of, thing, site, numbers.total, numbers.middle / width, error, numbers.middle, f" {unit}".rstrip(), said
            )


def _factor(ratio: float) -> str:
    return next((name for name, factor in _FACTORS.items() if factor / 1.15 <= ratio <= factor * 1.15), "")


CHECK = Check(
    what="the median of a code's numbers",
    harm=3,
    tolerated=0.25,
    least=30,
    source="judgement, to be approved: medians of clinics differ by ages and illness; nine tenths of one clinic's own standard deviation lie far apart",
    fix="Compare some charts with the registry: the unit the interface names may not be that of its numbers.",
    figures=_figures,
)
