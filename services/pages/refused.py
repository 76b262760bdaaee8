"""What of a site's data is missing, and what could not be used, by line: how many, of what, why, and what to do; as its loads told it."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection, select

from schemas.problems import Reason
from services.registry.completeness import SiteCompleteness
from services.registry.tables import load

LOADS = 30
"""The last loads that are looked at."""


@dataclass(frozen=True, slots=True)
class RefusedLines:
    """Lines of one type with one fault."""

    fhir_type: str
    count: int
    why: str
    fix: str


@dataclass(frozen=True, slots=True)
class Told:
    """What a site's last loads told."""

    loads: int
    read: int
    refused: tuple[RefusedLines, ...]
    """The most frequent first."""


def refused_lines(connection: Connection, site: str) -> Told:
    """Of the last loads that ended; what is skipped as a matter of course is not told."""
    rows = connection.execute(
        select(load.c.types)
        .where(load.c.site == site, load.c.ended.is_not(None))
        .order_by(load.c.started.desc())
        .limit(LOADS)
    ).all()
    found: Counter[tuple[str, str]] = Counter()
    read = 0
    for (types,) in rows:
        for fhir_type, counts in types.items():
            read += counts.get("read", 0)
            for reason, count in counts.get("skipped", {}).items():
                found[fhir_type, reason] += count
    told = [
        RefusedLines(fhir_type, count, *_words(reason))
        for (fhir_type, reason), count in found.most_common()
        if not _expected(reason)
    ]
    return Told(len(rows), read, tuple(told))


def gaps_of(found: SiteCompleteness | None) -> list[tuple[str, str, str, str]]:
    """What is missing of a site's data: type, why, what to do, who."""
    if found is None:
        return []
    return [
        (name, gap["reason"], gap.get("fix") or "Look at the site's last load.", gap.get("who") or "")
        for name, known in sorted(found.types.items())
        for gap in known.gaps
    ]


REASONS: dict[str, Reason] = {each.value: each for each in Reason}


def _expected(reason: str) -> bool:
    return reason in REASONS and REASONS[reason].expected


def _words(reason: str) -> tuple[str, str]:
    """Why, and what to do; a reason of another version by its code."""
    known = REASONS.get(reason)
    return (known.meaning, known.fix) if known else (reason, "Look it up in the site's own report.")
