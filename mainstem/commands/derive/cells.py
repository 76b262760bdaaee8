"""The cells of one row, and why what is not given is not."""

import re

from transforms.derive.references.growth import Sex

Row = dict[str, float | str | int | None]
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
"""No thousands' separators, no infinity; a decimal comma only where columns are parted by semicolons."""
_SEXES: dict[str, Sex] = {"m": "M", "male": "M", "boy": "M", "f": "F", "female": "F", "girl": "F"}
"""No numbers: 1 and 2, 0 and 1 are both in use."""


class Cells:
    """One row by column. What a cell holds is said in no reason: it may be a name."""

    def __init__(self, header: list[str], cells: list[str]) -> None:
        self._named = dict(zip(header, cells, strict=False))
        self._columns = set(header)
        self.reasons: dict[str, None] = {}
        self.unread = any(cell.strip() for cell in cells[len(header) :])
        """The row cannot be told by column."""
        if self.unread:
            self.because("the row has more cells than there are columns")

    def because(self, reason: str) -> None:
        """Said once a row."""
        self.reasons[reason] = None

    def has(self, name: str) -> bool:
        """Whether the file has such a column."""
        return name in self._columns

    def text(self, name: str) -> str:
        """A cell, empty where there is none."""
        return self._named.get(name, "").strip()

    def said(self, name: str) -> bool:
        """Whether there is something in a cell."""
        return bool(self.text(name))

    def sex(self) -> Sex | None:
        """M or F."""
        found = _SEXES.get(self.text("sex").lower())
        if found is None:
            self.because("sex is neither M nor F")
        return found

    def number(self, name: str, low: float, high: float) -> float | None:
        """A number between bounds outside which it is another unit or a slip."""
        text = self.text(name)
        if not text:
            self.because(f"{name} is {'empty' if self.has(name) else 'no column of the file'}")
            return None
        if not _NUMBER.fullmatch(text):
            self.because(f"{name} is not a number")
        elif not low <= (value := float(text)) <= high:
            self.because(f"{name} is outside {low:g} to {high:g}")
        else:
            return value
        return None
