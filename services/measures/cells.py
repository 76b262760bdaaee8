"""Cells of a table of counts: 1 to 10 are not told, nor whatever would let them be reckoned from the rest. Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

FEWEST = 11
"""Told from here on (CMS's cell size suppression policy)."""
Key = TypeVar("Key")


def suppressed(cells: Mapping[Key, int], besides: Collection[Key] = ()) -> dict[Key, int | None]:
    """The cells with None for what is not told, `besides` too. Where one alone would be hidden, or all that are hidden together are of a
    few, the next smallest is hidden with them: the total says nothing of it then."""
    hidden = {key for key, count in cells.items() if 0 < count < FEWEST or key in besides}
    others = sorted((key for key, count in cells.items() if count >= FEWEST), key=lambda key: (cells[key], str(key)))
    others = [key for key in others if key not in hidden]
    while others and not hides([cells[key] for key in hidden]):
        hidden.add(others.pop(0))
    return {key: None if key in hidden else count for key, count in cells.items()}


def hides(cells: Sequence[int]) -> bool:
    """Whether a total beside what is told says nothing of these, which are not told: none of them, or several of enough together."""
    return not cells or (len(cells) > 1 and sum(cells) >= FEWEST)
