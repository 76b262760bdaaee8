"""Asthma control: ACT from 12 years, C-ACT below, which has no LOINC code and is known by its name or the site's code map."""

from collections.abc import Iterator

from transforms.derive import Derived, Value
from transforms.derive.history import History
from transforms.derive.kinds.scores import band_of, in_words, scored
from transforms.derive.kinds.states import NEEDS, named, spelt

_ACT = ((15, "very-poorly-controlled"), (19, "not-well-controlled"), (25, "well-controlled"))
_CHILD = ((12, "very-poorly-controlled"), (19, "not-well-controlled"), (27, "well-controlled"))


def _of_children(history: History) -> Iterator[Derived]:
    for fact in named(history, "C-ACT"):
        score = fact.score if fact.score is not None else fact.value
        if score is not None and score >= 0 and score == int(score) and (band := band_of(score, _CHILD)):
            yield Derived(fact, score, (fact,), band)


VALUES = (
    scored(
        "act-control",
        ("82668-5",),
        _ACT,
        ("Nathan RA et al. J Allergy Clin Immunol 2004;113:59-65, doi:10.1016/j.jaci.2003.09.008",),
        lowest=5,
    ),
    Value(
        name="c-act-control",
        quantity="score",
        unit="{score}",
        needs=NEEDS,
        codes=spelt("C-ACT"),
        window="each answer",
        method=in_words(_CHILD),
        sources=("Liu AH et al. J Allergy Clin Immunol 2007;119:817-25, doi:10.1016/j.jaci.2006.12.662",),
        derive=_of_children,
    ),
)
