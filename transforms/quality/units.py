"""Numbers of one code in several units, or without any where others have one."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from transforms.quality import NOTHING, About, Check, Found, Line
from transforms.quality.facts import Person
from transforms.quality.facts.profile import Profile

_CODES = 5_000


class _Units:
    def __init__(self, _: About) -> None:
        self._units: dict[str, Counter[str]] = defaultdict(Counter)
        self._example: dict[tuple[str, str], str] = {}

    def see(self, person: Person) -> Sequence[Found]:
        """Counts the units of each code."""
        for fact in person.of("observation"):
            if fact.value is not None and fact.code and (fact.code in self._units or len(self._units) < _CODES):
                unit = fact.unit or ""
                self._units[fact.code][unit] += 1
                self._example.setdefault((fact.code, unit), fact.id)
        return NOTHING

    def lines(self, profile: Profile) -> Iterator[Line]:
        """By code: numbers in another unit than most have."""
        for code, units in sorted(self._units.items()):
            (most, count), *others = units.most_common()
            total = sum(units.values())
            said = ", ".join(f"{n} in {unit or 'no unit'}" for unit, n in [(most, count), *others])
            examples = tuple(self._example[code, unit] for unit, _ in others)
            yield Line(code, total, total - count, examples[:5], said if others else "")


CHECK = Check(
    kind="conformance",
    what="numbers of a code in another unit than most, or without one",
    tolerated=0.01,
    least=20,
    source="judgement, to be approved: one in a hundred; unit conflicts within a code are what N3C found at most sites (Pfaff ER et al. J Am Med Inform Assoc "
    "2022;29:609-18, doi:10.1093/jamia/ocab217)",
    fix="Find the laboratory, device or flowsheet row that sends the other unit; have it send UCUM, or map it in the site's code map.",
    who="site IT",
    begin=_Units,
)
