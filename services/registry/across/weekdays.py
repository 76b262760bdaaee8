"""Days of the week and of the month: dates shifted by a day, or only known to the month, lie otherwise."""

from collections import Counter
from collections.abc import Iterator

from services.registry.across import Check
from services.registry.across.counting.counts import Counts
from services.registry.across.kinds.far import Figure, share

_SATURDAY = 5


def _figures(counts: Counts) -> Iterator[Figure]:
    total, weekend, first = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for (site, kind, weekday, day), count in counts.days.items():
        total[kind, site] += count
        weekend[kind, site] += count if weekday >= _SATURDAY else 0
        first[kind, site] += count if day == 1 else 0
    for (kind, site), looked in sorted(total.items()):
        yield share(f"{kind} on Saturdays and Sundays", kind, site, weekend[kind, site], looked)
        yield share(f"{kind} on the first of a month", kind, site, first[kind, site], looked)


CHECK = Check(
    what="how many records are of a weekend, or of the first of a month",
    harm=1,
    tolerated=0.06,
    least=100,
    source="judgement, to be approved: 3 % and 14 %, or 20 % and 39 %, lie far apart; that weekdays tell shifted dates: Appl Clin Inform 2023, doi:10.1055/a-2130-2197",
    fix="Ask for the time zone of the interface's times (`timezone`, `dates_as_midnight_utc` in the site file), and whether dates are shifted or rounded.",
    figures=_figures,
)
