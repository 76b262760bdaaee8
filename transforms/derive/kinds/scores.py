"""Scores of questionnaires and measurements that fall in published bands."""

from collections.abc import Iterable, Iterator, Sequence

from transforms.derive import Derived, Value
from transforms.derive.history import History

Bands = Sequence[tuple[float, str]]
"""(highest value of the band, its name), ascending."""


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
) -> Value:
    """The value itself with the band it falls in; one outside its scale gives none."""
    wanted = tuple(codes)

    def derive(history: History) -> Iterator[Derived]:
        for _day, value, fact in history.readings(wanted, from_unit):
            if value >= lowest and (band := band_of(value, bands)):
                yield Derived(fact, value, (fact,), band)

    return Value(
        name=name,
        quantity=quantity,
        unit=unit,
        needs=frozenset({"observation", "pro_response"}),
        codes=frozenset(wanted),
        window="each answer",
        method="; ".join(f"{name} up to {highest:g}" for highest, name in bands),
        sources=sources,
        derive=derive,
    )


def screened(name: str, codes: Iterable[str], positive_from: float, highest: float, sources: tuple[str, ...]) -> Value:
    """Whether a score is positive: 1 or 0."""
    wanted = tuple(codes)

    def derive(history: History) -> Iterator[Derived]:
        for _day, value, fact in history.readings(wanted):
            if 0 <= value <= highest:
                positive = value >= positive_from
                yield Derived(fact, int(positive), (fact,), "positive" if positive else "negative")

    return Value(
        name=name,
        quantity="screening result",
        unit="1",
        needs=frozenset({"observation", "pro_response"}),
        codes=frozenset(wanted),
        window="each answer",
        method=f"positive from {positive_from:g} on",
        sources=sources,
        derive=derive,
    )
