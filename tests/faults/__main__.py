"""`make faults`: runs what shows each row of table.toml, and prints the table; some rows by their numbers. `--page` writes it into
docs/reliability.md unrun. MAINSTEM_FAULT_SEEDS names another file of seeds.
"""

import os
import re
import shlex
import subprocess
import sys
import time
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from apache_kafka import unavailable

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "reliability.md"
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


def run(words: str) -> tuple[int, int, int]:
    """Passed, failed and skipped of what one entry names."""
    file, *more = shlex.split(words)
    chosen = more[1] if more else ""
    if not unavailable():  # else the embedded parts stand for the real ones
        chosen = f"({chosen}) and not embedded" if chosen else "not embedded"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "not large",
        "-p",
        "no:cacheprovider",
        f"tests/{file}",
        *(["-k", chosen] if chosen else []),
    ]
    seeds = {"MAINSTEM_FAULT_SEEDS": str(HERE / "seeds.txt"), **os.environ}
    done = subprocess.run(command, cwd=ROOT, env=seeds, capture_output=True, text=True, check=False, timeout=1500)
    said = "\n".join(done.stdout.splitlines()[-60:])
    failed = len(re.findall(r"^(?:FAILED|ERROR) ", said, re.MULTILINE)) or (1 if done.returncode else 0)
    marks = "".join(re.findall(r"^([.sFE]+) *\[", done.stdout, re.MULTILINE))
    if failed:
        sys.stderr.write(said + "\n")
    return marks.count("."), failed, marks.count("s")


def main() -> int:
    """Prints a line a row as it ends; 1 where something failed or nothing ran."""
    broken, wanted = 0, {int(each) for each in sys.argv[1:]}
    for number, row in enumerate(rows(), 1):
        if wanted and number not in wanted:
            continue
        began = time.monotonic()
        sums = [sum(each) for each in zip(*(run(str(words)) for words in row["tests"]), strict=True)]  # type: ignore[attr-defined]
        passed, failed, skipped = sums
        broken += bool(failed or not passed)
        word = "FELL" if failed else "held" if passed else "none"
        counts = f"{passed:>4} passed {failed:>2} failed {skipped:>2} skipped"
        print(f"{number:>2}  {word}  {counts}  {time.monotonic() - began:>5.0f} s  {row['fault']}", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    if "--page" in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        sys.exit(main())
