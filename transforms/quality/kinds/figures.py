"""Checks of figures that are known before a person is seen."""

from collections.abc import Iterable, Iterator, Sequence

from transforms.quality import NOTHING, Found, Line
from transforms.quality.facts import Person
from transforms.quality.facts.profile import Profile


class Figures:
    """(of, looked, found)."""

    def __init__(self, figures: Iterable[tuple[str, int, int]]) -> None:
        self._figures = list(figures)

    def see(self, person: Person) -> Sequence[Found]:
        """Nothing is asked of persons."""
        return NOTHING

    def lines(self, profile: Profile) -> Iterator[Line]:
        """As they are given."""
        return (Line(*each) for each in self._figures)
