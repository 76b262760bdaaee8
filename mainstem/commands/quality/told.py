"""What was judged, as plain values: for JSON, the terminal and the page. No patient data: counts, codes, ids of records."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from mainstem.commands.terminal import private_csv
from transforms.quality import WORST, Found, Judged, Line, Result, Status

Told = dict[str, Any]
_LINES = 50
"""Lines of a check that are told, the worst first."""


def told_of(site: str, load: str, now: datetime, judged: Judged) -> Told:
    """Worst checks first."""
    checks = [
        _check(result) for result in sorted(judged.results, key=lambda each: (WORST.index(each.status), each.name))
    ]
    statuses = Counter(check["status"] for check in checks)
    return {
        "site": site,
        "load": load,
        "judged": now.isoformat(timespec="seconds"),
        "persons": judged.persons,
        "status": next((each for each in WORST if statuses[each]), "not-applicable"),
        "counts": {each: statuses[each] for each in WORST},
        "checks": checks,
    }


def _check(result: Result) -> Told:
    check = result.check
    ordered = sorted(result.lines, key=lambda each: (WORST.index(each[0]), -each[1].found, each[1].of))
    return {
        "id": result.name,
        "kind": check.kind,
        "status": result.status,
        "what": check.what,
        "threshold": check.tolerated,
        "least": check.least,
        "source": check.source,
        "fix": check.fix,
        "who": check.who,
        "looked": sum(line.looked for _, line in ordered),
        "found": sum(line.found for _, line in ordered),
        "lines": [_line(status, line) for status, line in ordered[:_LINES]],
        "more_lines": max(len(ordered) - _LINES, 0),
    }


def _line(status: Status, line: Line) -> Told:
    return {
        "of": line.of,
        "status": status,
        "looked": line.looked,
        "found": line.found,
        "share": line.found / line.looked if line.looked else None,
        "said": line.said,
        "examples": list(line.examples),
    }


@contextmanager
def findings_to(path: Path | None) -> Iterator[Callable[[str, Found], None] | None]:
    """Where each record that is found goes, one after the other; nowhere without a path. Whoever counts may leave them out:
    the ids are those of the stream.
    """
    if path is None:
        yield None
        return
    with private_csv(path) as rows:
        rows.writerow(("check", "of", "record"))
        yield lambda check, found: rows.writerow((check, *found))


def shown_checks(told: Told, *, every: bool) -> list[Told]:
    """Those that found something, or all."""
    return [check for check in told["checks"] if every or check["status"] in ("failed", "noted")]


def figures(line: Told) -> str:
    """`3 of 1,200 (0.25 %); some: r-…`."""
    if not line["looked"]:
        return line["said"] or "nothing to look at"
    words = f"{line['found']:,} of {line['looked']:,} ({100 * line['share']:.3g} %)"
    some = f"some: {', '.join(line['examples'])}" if line["examples"] else ""
    return "; ".join(each for each in (words, line["said"], some) if each)


def in_words(told: Told) -> str:
    """How many checks came out how."""
    counted = ", ".join(f"{count} {status.replace('-', ' ')}" for status, count in told["counts"].items())
    return f"{told['site']}: load {told['load']}, {told['persons']:,} persons: {counted}"
