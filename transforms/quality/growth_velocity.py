"""A child that grows faster than any."""

from functools import cache

from transforms.quality import Check
from transforms.quality.facts import Person
from transforms.quality.facts.numbers import Reading
from transforms.quality.kinds.each import SLIP, SLIP_SOURCE, each
from transforms.quality.kinds.growth import DAYMONT, ERROR, GROWN, HEIGHT, over_time
from transforms.quality.kinds.tables import rows


@cache
def _rates() -> list[tuple[float, float, float]]:
    return [(float(row["from_months"]), float(row["to_months"]), float(row["cm_a_year"])) for row in rows("velocity")]


def most(start: float, end: float) -> float:
    """Centimetres that a child grows at most between two ages in months."""
    return sum(max(0.0, min(end, upper) - max(start, lower)) * rate / 12 for lower, upper, rate in _rates())


def _too_fast(person: Person, earlier: Reading, later: Reading) -> bool:
    if later.value - earlier.value <= ERROR:
        return False
    start, end = person.months(earlier.day), person.months(later.day)
    if start is None or end is None or start >= GROWN:
        return False
    return later.value - earlier.value > most(start, end) + ERROR


CHECK = Check(
    kind="plausibility",
    what="heights that a child of the age cannot have reached since the one before",
    tolerated=SLIP,
    source=f"tables/velocity.csv, and 3 cm between two measurements: {DAYMONT}; {SLIP_SOURCE}",
    fix="Look the height up in the chart: another child's, inches filed as centimetres, a slip; correct it there.",
    who="site IT",
    reads=HEIGHT,
    alone=True,
    begin=each(over_time(HEIGHT, "cm", "height", _too_fast)),
)
