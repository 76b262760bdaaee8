"""States of disease: activity scores and physicians' assessments, by the name of their instrument.

None of them has a LOINC code (nor has the C-ACT), so an observation or answer is known by a local code that is the
instrument's name, or by the site's code map: a row `system,code,urn:mainstem:instrument,PUCAI` for its local code makes the
mapping give a disease_assessment beside it, which is read here.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from transforms.derive import Derived, Value
from transforms.derive.history import Fact, History
from transforms.derive.kinds.scores import Bands, band_of, below, in_words

PUCAI: Bands = ((below(10), "remission"), (below(35), "mild"), (below(65), "moderate"), (85, "severe"))
"""Turner D et al. Gastroenterology 2007;133:423-32."""
SPCDAI: Bands = ((below(15), "remission"), (below(30), "mild"), (90, "moderate-to-severe"))
"""Kappelman MD et al. Inflamm Bowel Dis 2011;17:112-7: pain, functioning and weight to 20 each, stools, abdomen and others to 10."""
INSTRUMENTS: dict[str, Bands] = {"PUCAI": PUCAI, "sPCDAI": SPCDAI, "PGA": ()}
"""With the bands of their scores; the physician says the state itself."""
NEEDS = frozenset({"disease_assessment", "observation", "pro_response"})
_WORDS = {
    **dict.fromkeys(("remission", "quiescent", "inactive"), "remission"),
    **{word: word for word in ("mild", "moderate", "severe")},
}


class Assessed(NamedTuple):
    """An assessment of a disease."""

    fact: Fact
    score: float | None
    state: str | None
    """As told, or by the score."""


def spelt(name: str) -> frozenset[str]:
    """The local codes that are an instrument's name."""
    return frozenset({name, name.upper(), name.lower()})


def named(history: History, name: str) -> Iterator[Fact]:
    """What is told by an instrument; of a reading whose state is told by the assessment beside it alone, that one."""
    names, told = spelt(name), set()
    for fact in history.coded(names):
        if fact.comparator is None and not names.isdisjoint(each.code for each in fact.codings):
            if fact.value is None and _said(fact) is None:
                continue
            told.add(fact.id)
            yield fact
    for fact in history.of("disease_assessment"):
        if fact.instrument in names and fact.told_by not in told:
            yield fact


def assessments(history: History, names: Iterable[str] = INSTRUMENTS) -> Iterator[Assessed]:
    """By some instruments, those that tell a score or a state."""
    for name in names:
        bands = INSTRUMENTS[name]
        for fact in named(history, name):
            score = fact.score if fact.score is not None else fact.value
            state = fact.state or _said(fact)
            if state is None and score is not None and score >= 0:
                state = band_of(score, bands)
            if score is not None or state is not None:
                yield Assessed(fact, score, state)


def _said(fact: Fact) -> str | None:
    codes = (fact.value_code, *(each.code for each in fact.value_codings))
    return next((_WORDS[code.lower()] for code in codes if code and code.lower() in _WORDS), None)


def scored(name: str, instrument: str, sources: tuple[str, ...]) -> Value:
    """The state that a disease activity score tells."""

    def derive(history: History) -> Iterator[Derived]:
        for fact, score, _ in assessments(history, (instrument,)):
            if score is not None and score >= 0 and (band := band_of(score, INSTRUMENTS[instrument])):
                yield Derived(fact, score, (fact,), band)

    return Value(
        name=name,
        quantity="disease state",
        unit="{score}",
        needs=NEEDS,
        codes=spelt(instrument),
        window="each assessment",
        method=in_words(INSTRUMENTS[instrument]),
        sources=sources,
        derive=derive,
    )
