"""`make faults`: runs what shows each row of table.toml, and prints the table; some rows by their numbers. `--page` writes it into
docs/reliability.md unrun. MAINSTEM_FAULT_SEEDS names another file of seeds.

All rows are one run of pytest, so that brokers and databases start once; a test that several rows name runs once.
"""

import os
import shlex
import sys
import tomllib
from collections.abc import Collection
from contextlib import redirect_stdout
from pathlib import Path
from typing import NamedTuple, TextIO

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from apache_kafka import unavailable

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "reliability.md"
LOG = ROOT / "var" / "faults.log"
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->\n"


def rows() -> list[dict[str, object]]:
    """The faults, in their order."""
    found: list[dict[str, object]] = tomllib.loads((HERE / "table.toml").read_text(encoding="utf-8"))["row"]
    return found


def shown(row: dict[str, object], number: int) -> str:
    """A line of the page's table."""
    return f"| {number} | {row['fault']} | {row['promise']} |"


def page() -> str:
    """The page with the table as it is declared."""
    lines = ["| # | fault | promise |", "|---|---|---|", *(shown(row, number) for number, row in enumerate(rows(), 1))]
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return before + BEGIN + "\n" + "\n".join(lines) + "\n\n" + END + rest.split(END)[1]


class Entry(NamedTuple):
    """What a row names: a file, of which all tests are meant, one by its name, or those that have one of some words in theirs."""

    file: Path
    name: str
    words: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> "Entry":
        """From the table: `file.py`, `file.py::test_name`, `file.py -k 'word or word'`."""
        place, *more = shlex.split(text)
        file, _, name = place.partition("::")
        return cls(HERE.parent / file, name, tuple(more[1].split(" or ")) if more else ())

    def means(self, path: Path, test: str) -> bool:
        """Whether this is one of them."""
        if path != self.file:
            return False
        if self.name:
            return test.partition("[")[0] == self.name
        return not self.words or any(word in test for word in self.words)


class Row:
    """One fault, and what has come of its tests."""

    def __init__(self, number: int, row: dict[str, object]) -> None:
        self.number, self.fault = number, str(row["fault"])
        self.entries = [Entry.read(str(words)) for words in row["tests"]]  # type: ignore[attr-defined]
        self.waiting: set[str] = set()
        self.passed = self.failed = self.skipped = 0
        self.seconds = 0.0

    @property
    def held(self) -> bool:
        """Nothing failed, and something ran."""
        return bool(self.passed and not self.failed)

    def __str__(self) -> str:
        word = "FELL" if self.failed else "held" if self.passed else "none"
        counts = f"{self.passed:>4} passed {self.failed:>2} failed {self.skipped:>2} skipped"
        return f"{self.number:>2}  {word}  {counts}  {self.seconds:>5.0f} s  {self.fault}"


class Faults:
    """A plugin of pytest: chooses the tests, in the rows' order, and says of each row, once all of its tests ran, whether it held."""

    def __init__(self, some: list[Row], out: TextIO) -> None:
        self.rows, self._out = some, out
        self._rows_of: dict[str, list[Row]] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """The embedded parts stand for the real ones only where those cannot be had."""
        real = not unavailable()
        chosen: dict[str, pytest.Item] = {}
        for row in self.rows:
            for item in items:
                meant = any(entry.means(item.path, item.name) for entry in row.entries)
                if meant and not (real and "embedded" in item.name):
                    chosen[item.nodeid] = item
                    row.waiting.add(item.nodeid)
                    self._rows_of.setdefault(item.nodeid, []).append(row)
        items[:] = chosen.values()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test's setup, call or end."""
        for row in self._rows_of[report.nodeid]:
            row.seconds += report.duration
            row.passed += report.passed and report.when == "call"
            row.failed += report.failed
            row.skipped += report.skipped
        if report.failed:
            print(f"{report.nodeid} ({report.when})\n{report.longreprtext}", file=sys.stderr, flush=True)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A test has ended; a row, where it was its last."""
        for row in self._rows_of[nodeid]:
            row.waiting.discard(nodeid)
            if not row.waiting:
                print(row, file=self._out, flush=True)


def main(numbers: Collection[int]) -> int:
    """Prints a line a row as it ends; 1 where something failed or nothing ran."""
    some = [Row(number, row) for number, row in enumerate(rows(), 1) if not numbers or number in numbers]
    files = dict.fromkeys(str(entry.file) for row in some for entry in row.entries)
    os.environ.setdefault("MAINSTEM_FAULT_SEEDS", str(HERE / "seeds.txt"))
    LOG.parent.mkdir(exist_ok=True)
    with os.fdopen(os.dup(1), "w") as out, LOG.open("w", encoding="utf-8") as log, redirect_stdout(log):
        options = ["-m", "not large", "-p", "no:cacheprovider", f"--rootdir={ROOT}", f"--confcutdir={ROOT}"]
        ended = pytest.main([*options, *files], plugins=[Faults(some, out)])
        for row in some:
            if row.waiting or not row.entries:
                print(row, file=out, flush=True)
    return 1 if ended or not all(row.held for row in some) else 0


if __name__ == "__main__":
    if "--page" in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        sys.exit(main({int(each) for each in sys.argv[1:]}))
