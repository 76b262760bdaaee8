"""A block of new lines before all that is known: it costs itself, and recognition goes on behind it."""

from collections.abc import Iterator

from bench import BLOCK, Bench, Loaded
from figure import Figure
from figures.first_load import CASES


def figures(bench: Bench) -> Iterator[Figure]:
    """Seconds of the whole run; the note tells those where nothing changed."""
    for database, kind in CASES:
        for name, loaded in bench.loads(database, kind).items():
            report, unchanged = Loaded.report(loaded.block), Loaded.report(loaded.again)
            note = f"{unchanged['seconds']:.1f} s without; {report['published']:,} published"
            what = f"{BLOCK:,} new lines first, {kind} ({database})"
            yield Figure(what, report["seconds"], "s", name, loaded.block.cpu, note=note, lower_is_better=True)
