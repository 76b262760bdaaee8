"""A block of new lines before all that is known: it costs itself, and recognition goes on behind it."""

from collections.abc import Iterator

from bench import BLOCK, Bench, Loaded
from figure import Figure
from figures.first_load import CASES


def figures(bench: Bench) -> Iterator[Figure]:
    """Seconds more than where nothing changed."""
    for database, kind in CASES:
        for name, loaded in bench.loads(database, kind).items():
            report, unchanged = Loaded.report(loaded.block), Loaded.report(loaded.again)
            note = f"{report['seconds']:.1f} s; {unchanged['seconds']:.1f} s without, {report['published']:,} published"
            more = max(0.01, report["seconds"] - unchanged["seconds"])
            what = f"{BLOCK:,} new lines first, {kind} ({database})"
            yield Figure(what, more, "s more", name, "", note, lower_is_better=True)
