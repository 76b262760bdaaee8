"""How long somebody has had diabetes."""

from collections.abc import Iterator

from transforms.derive import Derived, Value
from transforms.derive.history import History, day_of
from transforms.derive.kinds.visits import AS_OF_VISIT, diagnosed, on, visits

_DIABETES, _ICD = frozenset({"46635009", "44054006"}), ("E10", "E11")


def _duration(history: History) -> Iterator[Derived]:
    told = (
        (day_of(fact.onset_date) or day_of(fact.recorded_date), fact) for fact in diagnosed(history, _DIABETES, _ICD)
    )
    dated = [(day, fact.id, fact) for day, fact in told if day is not None]
    if not dated:
        return
    since, _, condition = min(dated, key=lambda each: each[:2])
    for visit in visits(history):
        if visit.day >= since:
            yield Derived(visit.fact, (visit.day - since) / 365.25, (visit.fact, condition), effective_date=on(visit))


VALUES = (
    Value(
        name="diabetes-duration",
        quantity="duration of diabetes",
        unit="a",
        needs=frozenset({"condition", "encounter"}),
        window=AS_OF_VISIT,
        method="from the earliest onset of type 1 or type 2 diabetes (46635009, 44054006, E10, E11), else its recording, in "
        "days ÷ 365.25; a year or a month alone is no day",
        sources=("the conditions themselves",),
        derive=_duration,
    ),
)
