"""`make bench`: speed and memory of the hot path, as figures and ratios within one run. Never a test: machines differ.

A figure is a file of `figures/`, found by its name. The input is the demo's synthetic children, copied under other ids up to the
wanted number of lines. Every run adds its figures to var/bench/results.jsonl and shows the change against the last.
"""

import argparse
import json
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from bench import Bench
from checkouts import HERE, Checkout
from figure import Figure, Results
from rich.console import Console

from mainstem.commands.terminal import stdout

FIGURES = sorted(module.name for module in iter_modules([str(Path(__file__).parent / "figures")]))
RESULTS = HERE / "var" / "bench" / "results.jsonl"


def main() -> None:
    """Measures, keeps and prints."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description="Speed and memory of the hot path.")
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"of {', '.join(FIGURES)}; all without")
    parser.add_argument("--against", type=Path, metavar="PATH", help="measure an older checkout too, in turns")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON lines")
    chosen = parser.parse_args()
    if unknown := set(chosen.figures) - set(FIGURES):
        parser.error(f"no figure {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    checkouts = [Checkout("now", HERE)]
    if chosen.against:
        checkouts.append(Checkout("before", chosen.against.resolve()))
    results = measured(chosen.figures or FIGURES, checkouts)
    if chosen.json:
        for figure in results.figures:
            print(json.dumps(vars(figure), ensure_ascii=False))
    else:
        stdout().print(results.table())


def measured(names: list[str], checkouts: list[Checkout]) -> Results:
    """The figures of these files; kept even where one of them fails."""
    console, results = Console(stderr=True), Results(RESULTS)
    with tempfile.TemporaryDirectory(prefix="msb-") as name, console.status("…") as status:
        bench = Bench(Path(name), checkouts, status.update)
        try:
            for measuring in names:
                for figure in import_module(f"figures.{measuring}").figures(bench):
                    results.figures.append(figure)
                    console.print(line(figure), highlight=False)
        finally:
            bench.close()
            results.save(checkouts)
    return results


def line(figure: Figure) -> str:
    """Said at once, because the next may take a while."""
    judged = "" if figure.holds is None else f", asked {figure.judged()}"
    return f"{figure.checkout:<7} {figure.what}: {figure.text()}{judged}"


if __name__ == "__main__":
    main()
