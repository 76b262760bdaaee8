"""Days on systemic steroids before a visit."""

from collections.abc import Callable, Iterator
from operator import itemgetter

from transforms.derive import Derived, Value
from transforms.derive.history import Fact, History
from transforms.derive.kinds.medicines import LASTS, SYSTEMIC, Course, by_route, courses, days_within, is_one, readable
from transforms.derive.kinds.visits import AS_OF_VISIT, on, visits

_MOSTLY_SYSTEMIC = frozenset({"8640", "8638", "6902", "H02AB*"})
"""Prednisone, prednisolone, methylprednisolone, ATC's systemic glucocorticoids: systemic where no route is told."""
_BY_ROUTE = frozenset({"5492", "3264"})
"""Hydrocortisone, dexamethasone: also creams and drops, so a systemic route must be told."""
_STEROIDS = _MOSTLY_SYSTEMIC | _BY_ROUTE


def _systemic(fact: Fact) -> bool:
    if fact.route or not is_one(fact, _MOSTLY_SYSTEMIC):
        return by_route(fact, SYSTEMIC)
    return True


def _days(window: int) -> Callable[[History], Iterator[Derived]]:
    def derive(history: History) -> Iterator[Derived]:
        taken = sorted((each for each in courses(history, _STEROIDS) if _systemic(each.fact)), key=itemgetter(0))
        within, begun = list[Course](), 0
        for visit in visits(history) if taken else ():
            first = visit.day - window + 1
            while begun < len(taken) and taken[begun].first <= visit.day:
                within.append(taken[begun])
                begun += 1
            within = [course for course in within if course.last >= first]
            days = days_within(within, first, visit.day)
            yield Derived(visit.fact, days, (visit.fact, *(course.fact for course in within)), effective_date=on(visit))

    return derive


VALUES = tuple(
    Value(
        name=f"systemic-steroid-days-{window}",
        quantity="days on systemic steroids",
        unit="d",
        needs=frozenset({"encounter", "medication"}),
        ingredients=readable(_STEROIDS),
        window=f"{AS_OF_VISIT}: the {window} days that end with it, for whoever ever had one",
        method="prednisone, prednisolone, methylprednisolone, and by a systemic route hydrocortisone, dexamethasone; "
        f"{LASTS}; overlaps counted once",
        sources=("RxNorm ingredients 8640, 8638, 6902, 5492, 3264; ATC H02AB",),
        derive=_days(window),
    )
    for window in (90, 365)
)
