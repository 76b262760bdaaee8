"""Numbers in another unit than the others have of a code: they are not one quantity for whoever counts."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from services.registry.across import Check
from services.registry.across.counting.counts import Counts
from services.registry.across.kinds.far import Figure, share


def _figures(counts: Counts) -> Iterator[Figure]:
    found: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for (site, code, unit), count in counts.units.items():
        found[code][site][unit] += count
    for code, sites in sorted(found.items()):
        firsts = Counter(max(units, key=lambda unit: (units[unit], unit)) for units in sites.values())
        usual = max(firsts, key=lambda unit: (firsts[unit], unit))
        for site, units in sites.items():
            others = [(unit, count) for unit, count in units.most_common() if unit != usual]
            said = f"{others[0][1]:,} in {others[0][0] or 'no unit'}" if others else ""
            of = f"observation {code} in {usual or 'no unit'}"
            yield share(of, f"observation {code}", site, units[usual], units.total(), said)


CHECK = Check(
    what="how many of a code's numbers are in the unit that most sites have it in",
    harm=3,
    tolerated=0.05,
    least=20,
    source="judgement, to be approved: 100 % and 97 % lie far apart, one unit a code is what mapping gives",
    fix="Have the interface send the unit, or name it in the site's code map: `mainstem codes unmapped` lists it.",
    figures=_figures,
)
