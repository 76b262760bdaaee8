"""The step plan: which types, by which units, since when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from connectors.pulling import read_capabilities, units
from mainstem.refresh.door import locked
from mainstem.refresh.opening import Mode, Refresh
from mainstem.refresh.telling import try_to_tell
from mainstem.state import Load
from mainstem.state import Plan as LoadPlan
from schemas.errors import OperatorError

log = structlog.get_logger()


@dataclass(frozen=True)
class Plan:
    """What a load will do. Small and free of patient data: it is stored and handed between tasks."""

    load: str
    mode: Mode
    resumed: bool
    types: list[str]
    units: list[str]

    def units_of(self, part: int, parts: int) -> list[str]:
        """The units that fall to one of several tasks side by side."""
        return self.units[part::parts]

    def types_of(self, part: int, parts: int) -> list[str]:
        """The types that fall to one of several tasks side by side."""
        return self.types[part::parts]


def plan(
    refresh: Refresh,
    *,
    mode: Mode = "incremental",
    types: Sequence[str] = (),
    since: datetime | None = None,
    fresh: bool = False,
) -> Plan:
    """Which types, by which units, since when. An unfinished load of the site is taken up again unless `fresh`.

    It is taken up only for the same mode, types and since: else a load of one type would pass for a whole one.

    `types` limits the load to some of the site's types; `since` (UTC) reads again from then, where that is before the
    watermark: a later one would let the watermark pass what was never read.
    """
    site = refresh.site
    if unknown := sorted(set(types) - set(site.types)):
        raise OperatorError(
            f"{site.site} does not read {', '.join(unknown)}", f"Its types are {', '.join(site.types)}."
        )
    with locked(refresh, "plan"):
        load, resumed = _open(refresh, mode, types, since, fresh=fresh)
    if not resumed:
        log.info("load planned", site=site.site, load=load.id, mode=mode, types=len(load.plan.types))
        try_to_tell(refresh)
    return _plan_of(load, resumed=resumed)


def _open(
    refresh: Refresh, mode: Mode, types: Sequence[str], since: datetime | None, *, fresh: bool
) -> tuple[Load, bool]:
    """The site's open load, where it was asked for like this, else a new one; and whether it was open."""
    site, store = refresh.site, refresh.store
    unfinished = store.loads.open(site.site)
    if unfinished is not None:
        if not fresh:
            _same_asked(unfinished, mode, types, since)
            return unfinished, True
        store.loads.abandon(unfinished.id, ended=refresh.clock())
    wanted = [name for name in site.types if not types or name in types]
    source = refresh.source(wanted)
    starts = {} if mode == "full" else _starts(refresh, wanted, since)
    load = store.loads.start(
        site.site,
        mode=mode,
        started=refresh.clock(),
        plan=LoadPlan(
            types=wanted,
            units=units(source.site, read_capabilities(source)),
            since=starts,
            asked_types=list(types),
            asked_since=since,
        ),
    )
    return load, False


def _same_asked(load: Load, mode: Mode, types: Sequence[str], since: datetime | None) -> None:
    """Raises OperatorError naming an unfinished load that was asked for otherwise."""
    asked = load.plan
    if (load.mode, set(asked.asked_types), asked.asked_since) != (mode, set(types), since):
        options = [*(["--full"] if load.mode == "full" else [])]
        options += [f"--types {','.join(asked.asked_types)}"] if asked.asked_types else []
        options += [f"since {asked.asked_since.isoformat()}"] if asked.asked_since else []
        raise OperatorError(
            f"load {load.id} is not finished and was asked for otherwise: {' '.join(options) or 'all types, incremental'}",
            "Finish it with the same options, or give it up: `mainstem run --fresh`.",
        )


def _starts(refresh: Refresh, types: Sequence[str], since: datetime | None) -> dict[str, datetime]:
    """Where each type's pull begins: its watermark less the overlap, or further back; types never read have none."""
    watermarks = refresh.store.watermarks.of(refresh.site.site)
    starts = {name: watermarks[name] - refresh.site.overlap for name in types if name in watermarks}
    return starts if since is None else {name: min(start, since) for name, start in starts.items()}


def planned(refresh: Refresh, load_id: str) -> Plan:
    """The plan of a load, for a task that has only its id."""
    return _plan_of(refresh.store.loads.get(load_id), resumed=False)


def _plan_of(load: Load, *, resumed: bool) -> Plan:
    return Plan(load.id, load.mode, resumed, load.plan.types, load.plan.units)
