"""A child's height that falls."""

from transforms.quality import Check
from transforms.quality.facts import Person
from transforms.quality.facts.numbers import Reading
from transforms.quality.kinds.each import SLIP, SLIP_SOURCE, each
from transforms.quality.kinds.growth import DAYMONT, ERROR, GROWN, HEIGHT, over_time


def _falls(person: Person, earlier: Reading, later: Reading) -> bool:
    age = person.months(later.day)
    return age is not None and age < GROWN and earlier.value - later.value > ERROR


CHECK = Check(
    kind="plausibility",
    what="heights below 20 years of age that are more than 3 cm less than one before",
    tolerated=SLIP,
    source=f"3 cm between two measurements: {DAYMONT}; {SLIP_SOURCE}",
    fix="Look the height up in the chart: shoes, another child's, inches filed as centimetres; correct it there.",
    who="site IT",
    reads=HEIGHT,
    alone=True,
    begin=each(over_time(HEIGHT, "cm", "height", _falls)),
)
