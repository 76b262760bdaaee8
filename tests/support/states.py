"""Saving into a state as a step does, in as few words as a test needs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mainstem.state import Batch, Plan, Saved, State
from transforms.mapped import Mapped


def save(
    state: State,
    site: str,
    records: Sequence[Mapped],
    withdrawn: Sequence[tuple[bytes, int | None]],
    at: datetime,
    part: str = "Observation",
    **more: Any,
) -> Saved:
    """One batch of the site's open load; begins one where there is none. `more`: other fields of the batch."""
    load = state.loads.open(site) or state.loads.start(site, mode="incremental", started=at, plan=Plan())
    return state.records.save(load.id, part, Batch(records, withdrawn, **more), at)
