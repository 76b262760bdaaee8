"""Pulmonary exacerbations of cystic fibrosis that were treated with intravenous antibiotics."""

from collections.abc import Iterator
from datetime import date

from transforms.derive import Derived, Value
from transforms.derive.history import History
from transforms.derive.kinds.medicines import INTRAVENOUS, LASTS, Course, by_route, courses, days_within, merged
from transforms.derive.kinds.visits import diagnosed

_ANTIBIOTICS = frozenset(
    [
        "10627",
        "641",
        "1596450",
        "2191",
        "20481",
        "2193",
        "2180",
        "29561",
        "5690",
        "1272",
        "8339",
        "10591",
        "2709",
        "11124",
        "190376",
        "2551",
        "82122",
        "7233",
        "7773",
    ]
) | {"J01*"}
"""ATC's antibacterials for systemic use; RxNorm: tobramycin, amikacin, gentamicin, ceftazidime, cefepime, ceftriaxone, cefazolin, meropenem, imipenem, aztreonam,
piperacillin, ticarcillin, colistin, vancomycin, linezolid, ciprofloxacin, levofloxacin, nafcillin, oxacillin."""
_GAP = 14
"""Days from the last of a course to the first of the next, up to which it is the same exacerbation."""
_CF, _CF_ICD = frozenset({"190905008"}), ("E84",)


def _exacerbations(history: History) -> Iterator[Derived]:
    conditions = list(diagnosed(history, _CF, _CF_ICD))
    if not conditions:
        return
    spans: dict[str, list[Course]] = {}
    for course in courses(history, _ANTIBIOTICS):
        if by_route(course.fact, INTRAVENOUS):
            spans.setdefault(course.fact.id, []).append(course)
    for episode in merged(map(_whole, spans.values()), _GAP):
        first, last = episode[0].first, max(course.last for course in episode)
        inputs = (conditions[0], *(course.fact for course in episode))
        days = days_within([span for course in episode for span in spans[course.fact.id]], first, last)
        yield Derived(episode[0].fact, days, inputs, effective_date=date.fromordinal(first).isoformat())


def _whole(spans: list[Course]) -> Course:
    """A record's first to last day: an exacerbation hangs on a record, which is of one only."""
    return Course(min(each.first for each in spans), max(each.last for each in spans), spans[0].fact)


VALUES = (
    Value(
        name="iv-antibiotic-exacerbation",
        quantity="days of intravenous antibiotics",
        unit="d",
        needs=frozenset({"condition", "medication"}),
        ingredients=_ANTIBIOTICS,
        window=f"each exacerbation, on its first day; courses at most {_GAP} days apart are one",
        method=f"with cystic fibrosis (190905008, E84): days of intravenous antibiotics; {LASTS}",
        sources=("VanDevanter DR et al. Respir Res 2010;11:137, doi:10.1186/1465-9921-11-137",),
        derive=_exacerbations,
    ),
)
