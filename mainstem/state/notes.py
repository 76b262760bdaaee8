"""What somebody at the site may want to know of a load; the network is not told."""

from collections.abc import Iterator, Mapping

import msgspec
from sqlalchemy import Connection, select

from connectors.pulled import Pulled
from mainstem.state import tables
from schemas.loads import TypeCounts


def noted(connection: Connection, load_id: str, counts: Mapping[str, TypeCounts]) -> list[str]:
    """What the pulls noted, and what was counted but not kept."""
    row = tables.load_unit.c
    pulls = connection.execute(select(row.pulled).where(row.load == load_id).order_by(row.unit)).scalars()
    noted = [note for pulled in pulls for note in msgspec.convert(pulled, Pulled).notes]
    return [*dict.fromkeys(noted), *_merges(counts)] + [
        f"{name}: {figures.unkept} unusable resources were counted but not kept to look at; limits.quarantine_lines and "
        "limits.quarantine_bytes say how many are"
        for name, figures in counts.items()
        if figures.unkept
    ]


def _merges(counts: Mapping[str, TypeCounts]) -> Iterator[str]:
    """What became of patients who were merged."""
    figures = counts.get("Patient", TypeCounts())
    if figures.merged:
        yield f"Patient: {figures.merged} were merged into another: their records stand under the one that survives"
    if figures.unmerged:
        yield f"Patient: {figures.unmerged} are merged no longer: their records went back to them"
    if figures.merges_unclear:
        yield (
            f"Patient: {figures.merges_unclear} say that they were merged in a way that cannot be followed (in a circle, into "
            "several, into nobody who can be told, while active, or against `mainstem subjects`): they stay as they were"
        )
