"""Codes of a site that have no meaning in the wanted system, the most frequent first."""

from collections import Counter
from collections.abc import Iterator, Sequence

from transforms.quality import NOTHING, About, Check, Found, Line
from transforms.quality.facts import Person
from transforms.quality.facts.profile import Profile

_SHOWN = 20
_KEPT = 20_000
"""Codes counted at once; then the rare ones are let go."""
_FLAG = "code-unmapped"


class _Unmapped:
    def __init__(self, _: About) -> None:
        self._codes: Counter[tuple[str, str, str]] = Counter()
        self._looked: Counter[str] = Counter()

    def see(self, person: Person) -> Sequence[Found]:
        """Counts the first coding of each record that has none of the wanted system."""
        for fact in person.facts:
            if fact.codings:
                self._looked[fact.type] += 1
                if fact.code is None and fact.icd10cm is None and _FLAG in fact.flags:
                    self._codes[fact.type, fact.codings[0].system or "no system", fact.codings[0].code] += 1
        if len(self._codes) > _KEPT:
            self._codes = Counter(dict(self._codes.most_common(_KEPT // 2)))
        return NOTHING

    def lines(self, profile: Profile) -> Iterator[Line]:
        """By frequency; a type of which all are mapped stands for itself."""
        frequent = sorted(self._codes.items(), key=lambda each: (-each[1], each[0]))[:_SHOWN]
        for (kind, system, code), count in frequent:
            yield Line(f"{kind} {system} {code}", self._looked[kind], count)
        lacking = {kind for kind, _, _ in self._codes}
        for kind in sorted({*self._looked} - lacking):
            yield Line(kind, self._looked[kind], 0)


CHECK = Check(
    kind="conformance",
    what="local codes without a meaning in the wanted system, by frequency",
    tolerated=0.01,
    source="judgement, to be approved: a code that one record in a hundred of its type carries is worth a row of the code map",
    fix="Give each a row in the site's code map; `mainstem codes` writes a file to fill in.",
    who="site IT",
    begin=_Unmapped,
)
