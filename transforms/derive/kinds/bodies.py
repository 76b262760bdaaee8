"""Body mass index, of a weight with the height it belongs to, or as the site wrote it down."""

from collections.abc import Iterator

from transforms.derive.history import History
from transforms.derive.kinds.growth import BMI, HEIGHT, WEIGHT, Measured, heights

CODES = frozenset({*HEIGHT, *WEIGHT})
ALL_CODES = CODES | frozenset(BMI)
GROWN_YEARS = 20.0
"""From this age on a height holds until the next."""
WINDOW = "each weight, with the last height of its day; from 20 years on with the last height since then"


def computed(history: History) -> Iterator[Measured]:
    """kg/m2, hanging on the weight."""
    tall = heights(history)
    for day, weight, fact in history.readings(WEIGHT, "kg", above=0):
        height = tall.last_before(day, 0)
        years = history.years(day)
        if height is None and years is not None and years > GROWN_YEARS:
            height = tall.last_before(day, int((years - GROWN_YEARS) * 365.25))
        if height is not None:
            yield Measured(day, weight / (height.value / 100) ** 2, fact, (fact, height.fact))


def of_any_kind(history: History) -> Iterator[Measured]:
    """Computed; of a day without a weight and a height, as the site wrote it down."""
    days = set()
    for each in history.once(computed):
        days.add(each.day)
        yield each
    for day, value, fact in history.readings(BMI, "kg/m2", above=0):
        if day not in days:
            yield Measured(day, value, fact, (fact,))
