"""Body mass index, and where it stands among children of the same age and sex."""

from collections.abc import Iterator
from operator import attrgetter

from transforms.derive import Derived, Value
from transforms.derive.history import History
from transforms.derive.kinds.bodies import ALL_CODES, CODES, WINDOW, computed, of_any_kind
from transforms.derive.kinds.growth import EXTENDED, METHOD, SOURCES, among, placed

_METHOD = f"{METHOD}; at and above P95 90 + 10·Φ((BMI − P95)/σ), σ by sex and age"
_SOURCES = (*SOURCES, EXTENDED)


def _bmi(history: History) -> Iterator[Derived]:
    return (Derived(each.anchor, each.value, each.inputs) for each in history.once(computed))


VALUES = (
    Value(
        name="bmi",
        quantity="body mass index",
        unit="kg/m2",
        needs=frozenset({"person", "observation"}),
        codes=CODES,
        window=WINDOW,
        method="weight in kg ÷ (height in m)²",
        sources=("https://www.cdc.gov/bmi/",),
        derive=_bmi,
    ),
    *placed("bmi", "bmi", of_any_kind, ALL_CODES, method=_METHOD, sources=_SOURCES),
    Value(
        name="bmi-percent-of-p95",
        quantity="percent of 95th percentile",
        unit="%",
        needs=frozenset({"person", "observation"}),
        codes=ALL_CODES,
        window=WINDOW,
        method="100·BMI/P95 of CDC 2000, from 24 to 240 months",
        sources=_SOURCES,
        derive=among("bmi", of_any_kind, attrgetter("percent_of_p95")),
    ),
)
