"""What a disease activity score or a physician's global assessment says of a disease; and, at a visit, what is last known."""

from bisect import bisect_right
from collections.abc import Iterator

from transforms.derive import Derived, Value
from transforms.derive.history import History, day_of
from transforms.derive.kinds.states import INSTRUMENTS, NEEDS, Assessed, assessments, scored, spelt
from transforms.derive.kinds.visits import AS_OF_VISIT, on, visits

_RANKS = {"remission": 0, "mild": 1, "moderate": 2, "severe": 3}
_PUCAI = ("Turner D et al. Gastroenterology 2007;133:423-32, doi:10.1053/j.gastro.2007.05.029",)
_SPCDAI = ("Kappelman MD et al. Inflamm Bowel Dis 2011;17:112-7, doi:10.1002/ibd.21452",)


def _by_physician(history: History) -> Iterator[Derived]:
    for fact, _, state in assessments(history, ("PGA",)):
        if state in _RANKS:
            yield Derived(fact, _RANKS[state], (fact,), state)


def _last_known(history: History) -> Iterator[Derived]:
    dated = ((day_of(each.fact.effective_date), each) for each in assessments(history) if each.state)
    known = sorted(((day, each) for day, each in dated if day is not None), key=_in_time)
    days = [day for day, _ in known]
    for visit in visits(history):
        if place := bisect_right(days, visit.day):
            day, (fact, _, state) = known[place - 1]
            yield Derived(visit.fact, visit.day - day, (visit.fact, fact), state, on(visit))


def _in_time(known: tuple[int, Assessed]) -> tuple[int, str, str]:
    day, (fact, _, _) = known
    return day, fact.effective or "", fact.id


VALUES = (
    scored("pucai-state", "PUCAI", _PUCAI),
    scored("spcdai-state", "sPCDAI", _SPCDAI),
    Value(
        name="pga-state",
        quantity="disease state",
        unit="{rank}",
        needs=NEEDS,
        codes=spelt("PGA"),
        window="each assessment",
        method="0 remission, 1 mild, 2 moderate, 3 severe, as the physician said",
        sources=("ImproveCareNow: physician global assessment",),
        derive=_by_physician,
    ),
    Value(
        name="last-disease-state",
        quantity="age of the last known disease state",
        unit="d",
        needs=NEEDS | {"encounter"},
        codes=frozenset(code for name in INSTRUMENTS for code in spelt(name)),
        window=AS_OF_VISIT,
        method="the last assessment up to the visit: its state, and how many days old it is",
        sources=("the assessments themselves",),
        derive=_last_known,
    ),
)
