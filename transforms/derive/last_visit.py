"""When somebody was last seen."""

from collections.abc import Iterator

from transforms.derive import Derived, Value
from transforms.derive.history import History
from transforms.derive.kinds.visits import on, visits


def _last(history: History) -> Iterator[Derived]:
    seen = visits(history)
    if history.person is not None and seen:
        last = seen[-1]
        yield Derived(history.person, len(seen), (history.person, last.fact), effective_date=on(last))


VALUES = (
    Value(
        name="last-visit",
        quantity="visits, the last on the effective date",
        unit="{visits}",
        needs=frozenset({"person", "encounter"}),
        window="all visits",
        method="the day of the last encounter that took place, and how many there were; days since, as of a day, are that "
        "day less the effective date, for a stream has no today",
        sources=("the encounters themselves",),
        derive=_last,
    ),
)
