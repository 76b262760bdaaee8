"""How long somebody has had diabetes."""

from collections.abc import Iterator

from transforms.derive import Derived, Value
from transforms.derive.history import Fact, History, about_day_of
from transforms.derive.kinds.visits import AS_OF_VISIT, diagnosed, on, visits

_DIABETES, _ICD = frozenset({"46635009", "44054006"}), ("E10", "E11")
_DAYS = {"a": 365.25, "mo": 365.25 / 12, "wk": 7, "d": 1, "h": 1 / 24, "min": 1 / 1440}


def _duration(history: History) -> Iterator[Derived]:
    told = (_since(fact, history) for fact in diagnosed(history, _DIABETES, _ICD))
    dated = [(day, inputs[0].id, inputs) for day, *inputs in told if day is not None]
    if not dated:
        return
    since, _, inputs = min(dated, key=lambda each: each[:2])
    for visit in visits(history):
        if visit.day >= since:
            yield Derived(visit.fact, (visit.day - since) / 365.25, (visit.fact, *inputs), effective_date=on(visit))


def _since(fact: Fact, history: History) -> tuple[int | None, *tuple[Fact, ...]]:
    """The day of onset, and what tells it; an onset that is told and cannot be dated is not that of the recording."""
    if fact.onset_date is not None:
        return about_day_of(fact.onset_date), fact
    if fact.onset_age is None:
        return about_day_of(fact.recorded_date), fact
    if history.person is None or history.born is None or (days := _DAYS.get(fact.onset_age_unit or "")) is None:
        return None, fact
    high = fact.onset_age if fact.onset_age_high is None else fact.onset_age_high
    return history.born + round((fact.onset_age + high) / 2 * days), fact, history.person


VALUES = (
    Value(
        name="diabetes-duration",
        quantity="duration of diabetes",
        unit="a",
        needs=frozenset({"person", "condition", "encounter"}),
        window=AS_OF_VISIT,
        method="from the earliest onset of type 1 or type 2 diabetes (46635009, 44054006, E10, E11), by its date, or its age "
        "from the day of birth (of a range the middle), else its recording; in days ÷ 365.25; a month alone is its 15th, a year "
        "alone the first of July",
        sources=("the conditions themselves",),
        derive=_duration,
    ),
)
