"""Cells of a table of counts: 1 to 10 are not told, nor whatever would let them be reckoned from the rest. Pure."""

from collections.abc import Mapping
from typing import TypeVar

FEWEST = 11
"""Told from here on (CMS's cell size suppression policy)."""
Key = TypeVar("Key")


def suppressed(cells: Mapping[Key, int]) -> dict[Key, int | None]:
    """The cells with None for what is not told. Where one alone would be hidden, or all that are hidden together are of a few, the
    next smallest is hidden with them: the total says nothing of it then."""
    hidden = {key for key, count in cells.items() if 0 < count < FEWEST}
    others = sorted((key for key, count in cells.items() if count >= FEWEST), key=lambda key: (cells[key], str(key)))
    while hidden and others and (len(hidden) == 1 or sum(cells[key] for key in hidden) < FEWEST):
        hidden.add(others.pop(0))
    return {key: None if key in hidden else count for key, count in cells.items()}
