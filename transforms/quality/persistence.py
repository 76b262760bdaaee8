"""What was there when an earlier load was judged and is there no longer: by type, by code, by month."""

from collections.abc import Iterator, Sequence

from transforms.quality import NOTHING, About, Check, Found, Line
from transforms.quality.facts import Person
from transforms.quality.facts.profile import ALL, UNDATED, Profile, named

_LEAST = 20


class _Persistence:
    def __init__(self, about: About) -> None:
        self._before = about.before

    def see(self, person: Person) -> Sequence[Found]:
        """The profile has counted it."""
        return NOTHING

    def lines(self, profile: Profile) -> Iterator[Line]:
        """By type, with its months; by code where the type as a whole is there."""
        if self._before is None:
            yield Line("all types", 0, 0, said="no earlier load was judged")
            return
        whole = True
        for kind, code in self._before:
            before, now = self._before.total(kind, code), profile.total(kind, code)
            gone = max(before - now, 0)
            if code == ALL:
                whole = gone <= CHECK.tolerated * before
                yield Line(kind, before, gone, said=f"{before:,} before, {now:,} now" if gone else "")
                yield from self._by_month(profile, kind)
            elif whole and gone and before >= _LEAST:
                yield Line(f"{kind} {code}", before, gone, said=f"{before:,} before, {now:,} now")

    def _by_month(self, profile: Profile, kind: str) -> Iterator[Line]:
        months = profile.months(kind)
        for month, before in sorted(self._before.months(kind).items() if self._before else ()):
            gone = before - months.get(month, 0)
            if month != UNDATED and before >= _LEAST and gone > CHECK.tolerated * before:
                yield Line(f"{kind} in {named(month)}", before, gone, said=f"{before:,} before, {before - gone:,} now")


CHECK = Check(
    kind="completeness",
    what="persons and months with a type or code that were there before and are gone",
    tolerated=0.05,
    least=_LEAST,
    source="a fall of more than 5 % from one refresh to the next, as PCORnet's data check 4.01",
    fix="Compare with the last delivery: a type, a department or a code is left out, renamed, or withdrawn; `mainstem gaps list` says what is known.",
    who="site IT",
    begin=_Persistence,
)
