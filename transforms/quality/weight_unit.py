"""A weight that is 2.2 times another: pounds filed as kilograms, or the other way round."""

from transforms.quality import Check
from transforms.quality.facts import Person
from transforms.quality.facts.numbers import Reading
from transforms.quality.kinds.each import SLIP, SLIP_SOURCE, each
from transforms.quality.kinds.growth import DAYMONT, WEIGHT, over_time

_POUNDS = 2.20462
_WITHIN = 1.1
"""How far a ratio may be from it: what is gained between two visits."""
_DAYS, _DAYS_OF_INFANTS = 400, 30
"""Within which nobody's weight doubles; in the first year it does within half a year."""
_INFANT = 12


def _by_pounds(person: Person, earlier: Reading, later: Reading) -> bool:
    if earlier.value <= 0 or later.value <= 0:
        return False
    age = person.months(earlier.day)
    if later.day - earlier.day > (_DAYS_OF_INFANTS if age is not None and age < _INFANT else _DAYS):
        return False
    ratio = max(earlier.value, later.value) / min(earlier.value, later.value)
    return _POUNDS / _WITHIN <= ratio <= _POUNDS * _WITHIN


CHECK = Check(
    kind="plausibility",
    what="weights that are 2.2 times the last or the next, or a 2.2th of it",
    tolerated=SLIP,
    source=f"unit errors, 2.2046: {DAYMONT}; {SLIP_SOURCE}",
    fix="Find since when: after an upgrade the feed sends pounds as kilograms, or one clinic's scale does; correct unit or feed, then load again.",
    who="site IT",
    reads=WEIGHT,
    alone=True,
    begin=each(over_time(WEIGHT, "kg", "weight", _by_pounds)),
)
