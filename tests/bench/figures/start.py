"""The command line's start."""

from collections.abc import Iterator

from bench import Bench
from figure import Figure


def figures(bench: Bench) -> Iterator[Figure]:
    """`mainstem --help`."""
    for checkout, ran in bench.in_turns(5, lambda checkout: checkout.mainstem("--help")):
        yield Figure("mainstem --help", ran.seconds, "s", checkout.name, ran.cpu, "≤ 0.5 s", lower_is_better=True)
