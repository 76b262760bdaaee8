"""A figure, its ratio to another checkout's in the same run, and its change against the last run."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from checkouts import Checkout
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One thing measured of one checkout."""

    what: str
    value: float
    unit: str
    checkout: str = "now"
    cpu: float | None = None
    """The same by processor time, which other work on the machine disturbs less than the clock."""
    asked: str = ""
    note: str = ""
    lower_is_better: bool = False
    holds: bool | None = None
    """Whether it is as asked, where the figure is judged."""

    def judged(self) -> str:
        """What is asked, and whether it is so."""
        return self.asked if self.holds is None else f"{self.asked}: {'holds' if self.holds else 'DOES NOT HOLD'}"

    def text(self) -> str:
        """For people."""
        return f"{self.value:,.2f} {self.unit}" if self.value < 10 else f"{self.value:,.0f} {self.unit}"

    def ratio(self, before: float) -> float:
        """Above 1 is better than `before`."""
        return self._better(self.value, before)

    def ratio_by_cpu(self, before: "Figure") -> str:
        """The same by processor time; empty where that was not measured."""
        if self.cpu is None or before.cpu is None:
            return ""
        return f"{self._better(self.cpu, before.cpu):.2f}"

    def _better(self, now: float, before: float) -> float:
        return before / now if self.lower_is_better else now / before


class Results:
    """The figures of this run, and of the one before."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.figures: list[Figure] = []
        self.last: dict[str, float] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                if row["checkout"] == "now":
                    self.last[row["what"]] = row["value"]

    def save(self, checkouts: Iterable[Checkout]) -> None:
        """Adds a JSON line a figure."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        commits = {checkout.name: checkout.commit for checkout in checkouts}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            for figure in self.figures:
                row = {"at": at, "commit": commits.get(figure.checkout, ""), **asdict(figure)}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def table(self) -> Table:
        """This checkout's figures; beside them the other's in the same run, by the clock and by processor time, and the change against the last run."""
        table = Table(
            "what",
            "figure",
            "before",
            "ratio",
            "by CPU",
            "last run",
            "asked",
            "note",
            box=None,
            header_style="bold",
            pad_edge=False,
        )
        before = {figure.what: figure for figure in self.figures if figure.checkout != "now"}
        for figure in self.figures:
            if figure.checkout != "now":
                continue
            other, last = before.get(figure.what), self.last.get(figure.what)
            table.add_row(
                figure.what,
                figure.text(),
                other.text() if other else "",
                f"{figure.ratio(other.value):.2f}" if other else "",
                figure.ratio_by_cpu(other) if other else "",
                f"{figure.ratio(last) - 1:+.0%}" if last else "",
                figure.judged(),
                figure.note,
            )
        return table
