"""The step plan: which types, by which units, since when."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import structlog

from connectors.pulling import beside, read_capabilities, readable, require_delivery, units
from mainstem.config.site_mapper import subject_key
from mainstem.refresh import cohort
from mainstem.refresh.door import locked
from mainstem.refresh.opening import Refresh
from mainstem.refresh.telling import try_to_tell
from mainstem.refresh.undelivered import noted_if_undelivered
from mainstem.state import Load, Plan
from schemas.errors import OperatorError
from schemas.loads import Mode
from schemas.outcomes import referred_types

log = structlog.get_logger()


class Planned(NamedTuple):
    """The site's open load, and what it does. Ids and names: small and free of patient data."""

    load: str
    plan: Plan
    resumed: bool
    """Whether an unfinished load was taken up."""


def plan(
    refresh: Refresh,
    *,
    mode: Mode = "incremental",
    types: Sequence[str] = (),
    since: datetime | None = None,
    fresh: bool = False,
) -> Planned:
    """Which types, by which units, since when. An unfinished load of the site is taken up again unless `fresh`.

    It is taken up only for the same mode, types and since: else a load of one type would pass for a whole one. All of the
    site's types are the same as none named: a DAG names them.

    `types` limits the load to some of the site's types; `since` (UTC) reads again from then, where that is before the
    watermark: a later one would let the watermark pass what was never read.

    Raises OperatorError, and opens no load, where the site's key is missing or short.
    """
    site = refresh.site
    if unknown := sorted(set(types) - set(site.types)):
        raise OperatorError(
            f"{site.site} does not read {', '.join(unknown)}", f"Its types are {', '.join(site.types)}."
        )
    subject_key(site, refresh.secrets)  # a load that no step could go on with would stand in the way of the next
    with locked(refresh, "plan"):
        load, resumed = _open(refresh, mode, _limit(refresh, types), since, fresh=fresh)
    if not resumed:
        log.info("load planned", site=site.site, load=load.id, mode=mode, types=len(load.plan.types))
        try_to_tell(refresh)
    return Planned(load.id, load.plan, resumed)


def _open(
    refresh: Refresh, mode: Mode, types: Sequence[str], since: datetime | None, *, fresh: bool
) -> tuple[Load, bool]:
    """The site's open load, where it was asked for like this, else a new one; and whether it was open."""
    site, store = refresh.site, refresh.store
    unfinished = store.loads.open(site.site)
    if unfinished is not None:
        if unfinished.plan.replay:
            _give_up(refresh, unfinished)
        elif not fresh:
            _same_asked(refresh, unfinished, mode, types, since)
            cohort.take_up(refresh, unfinished)
            return unfinished, True
        else:
            store.loads.abandon(unfinished.id, ended=refresh.clock())
    capabilities = read_capabilities(refresh.source(site.types))
    wanted = [name for name in site.types if name in types] if types else readable(site, capabilities)
    wanted += beside(site, wanted, capabilities)
    starts = {} if mode == "full" else _starts(refresh, wanted, since)
    new = Plan(
        types=[*wanted, *referred_types(wanted)],
        units=units(refresh.source(wanted).site, capabilities),
        since=starts,
        vendor=capabilities.vendor if capabilities is not None else "",
        asked_types=list(types),
        asked_since=since,
    )
    with noted_if_undelivered(refresh, mode, new):
        require_delivery(refresh.source(wanted))
    patients = cohort.found_out(refresh, capabilities)
    load = store.loads.start(site.site, mode=mode, started=refresh.clock(), plan=new)
    cohort.keep(refresh, load, patients)
    return load, False


def _give_up(refresh: Refresh, replay: Load) -> None:
    """An unfinished replay stands in nobody's way: what it saved stays, and it can be begun again. Raises BusyError where
    somebody is at it."""
    with locked(refresh, "replay"):
        refresh.store.loads.abandon(replay.id, ended=refresh.clock())
    said = f"an unfinished {replay.plan.replay} was given up for this load; begin it again afterwards"
    log.warning("replay given up", site=replay.site, load=replay.id, kind=replay.plan.replay)
    refresh.notice(said)


def _limit(refresh: Refresh, types: Sequence[str]) -> list[str]:
    """The types that a load is limited to; none where all of the site's are named."""
    return [] if set(types) >= set(refresh.site.types) else list(types)


def _same_asked(refresh: Refresh, load: Load, mode: Mode, types: Sequence[str], since: datetime | None) -> None:
    """Raises OperatorError naming an unfinished load that was asked for otherwise."""
    asked, limit = load.plan, _limit(refresh, load.plan.asked_types)
    if (load.mode, set(limit), asked.asked_since) != (mode, set(types), since):
        options = [*(["--full"] if load.mode == "full" else [])]
        options += [f"--types {','.join(asked.asked_types)}"] if asked.asked_types else []
        options += [f"since {asked.asked_since.isoformat()}"] if asked.asked_since else []
        raise OperatorError(
            f"load {load.id} is not finished and was asked for otherwise: {' '.join(options) or 'all types, incremental'}",
            "Finish it with the same options, or give it up: `mainstem run --fresh`.",
        )


def _starts(refresh: Refresh, types: Sequence[str], since: datetime | None) -> dict[str, datetime]:
    """Where each type's pull begins: its watermark less the overlap, or further back; types never read have none.

    Raises OperatorError for a watermark that lies in the future: there nothing would be found, night after night.
    """
    watermarks = refresh.store.watermarks.of(refresh.site.site, now=refresh.clock())
    starts = {name: watermarks[name] - refresh.site.overlap for name in types if name in watermarks}
    return starts if since is None else {name: min(start, since) for name, start in starts.items()}


def planned(refresh: Refresh, load_id: str) -> Plan:
    """What a load does, for a task that has only its id."""
    return refresh.store.loads.get(load_id).plan
