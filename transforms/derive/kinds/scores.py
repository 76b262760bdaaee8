"""Scores of questionnaires and measurements that fall in published bands."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from transforms.derive import Derived, Value
from transforms.derive.history import History
from transforms.derive.kinds.items import Items, Score, totals

Bands = Sequence[tuple[float, str]]
"""(highest value of the band, its name), ascending."""


def below(limit: float) -> float:
    """The highest value of a band that ends before a limit."""
    return math.nextafter(limit, -math.inf)


def in_words(bands: Bands) -> str:
    """Which values fall in which."""
    return "; ".join(
        f"{name} {'up to' if highest == round(highest) else 'below'} {highest:g}" for highest, name in bands
    )


def band_of(value: float, bands: Bands) -> str | None:
    """The band that a value falls in; none beyond the last."""
    return next((name for highest, name in bands if value <= highest), None)


def scored(
    name: str,
    codes: Iterable[str],
    bands: Bands,
    sources: tuple[str, ...],
    *,
    lowest: float = 0,
    unit: str = "{score}",
    quantity: str = "score",
    from_unit: str | None = None,
    items: Items | None = None,
) -> Value:
    """The value itself with the band it falls in; one outside its scale gives none.

    A score is told in whole points or summed up from `items`; a measurement is in its unit, `from_unit`.
    """
    wanted, method = tuple(codes), in_words(bands)

    def found(history: History) -> Iterator[Score]:
        if from_unit is None:
            return totals(history, wanted, items)
        return (Score(value, fact, (fact,)) for _day, value, fact in history.readings(wanted, from_unit))

    def derive(history: History) -> Iterator[Derived]:
        for value, anchor, inputs in found(history):
            if value >= lowest and (band := band_of(value, bands)):
                yield Derived(anchor, value, inputs, band)

    return _value(name, quantity, unit, wanted, items, method, sources, derive)


def screened(
    name: str,
    codes: Iterable[str],
    positive_from: float,
    highest: float,
    sources: tuple[str, ...],
    items: Items | None = None,
) -> Value:
    """Whether a score is positive: 1 or 0."""
    wanted = tuple(codes)

    def derive(history: History) -> Iterator[Derived]:
        for value, anchor, inputs in totals(history, wanted, items):
            if 0 <= value <= highest:
                positive = value >= positive_from
                yield Derived(anchor, int(positive), inputs, "positive" if positive else "negative")

    method = f"positive from {positive_from:g} on"
    return _value(name, "screening result", "1", wanted, items, method, sources, derive)


def _value(
    name: str,
    quantity: str,
    unit: str,
    codes: tuple[str, ...],
    items: Items | None,
    method: str,
    sources: tuple[str, ...],
    derive: Callable[[History], Iterable[Derived]],
) -> Value:
    summed = "; of a day without a total the sum of all its items, each 0 to 3" if items else ""
    return Value(
        name=name,
        quantity=quantity,
        unit=unit,
        needs=frozenset({"observation", "pro_response"}),
        codes=frozenset((*codes, *(items.codes + items.others if items else ()))),
        window="each answer",
        method=method + summed,
        sources=sources,
        derive=derive,
    )
