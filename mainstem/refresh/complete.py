"""The step complete: counts proven, watermarks moved, gaps opened, the landing tidied."""

from datetime import datetime

import structlog

from connectors.pulled import EXPORT, Pulled
from mainstem.refresh.door import holding
from mainstem.refresh.opening import Refresh
from mainstem.refresh.report import report_of
from mainstem.refresh.telling import tell, try_to_tell
from mainstem.state import Load
from schemas.errors import OperatorError
from schemas.loads import Gap, LoadReport, TypeCounts
from schemas.outcomes import REFERRED_TYPES

log = structlog.get_logger()


def complete(refresh: Refresh, load_id: str) -> LoadReport:
    """Proves the counts, moves the watermarks of the types that are whole, opens a gap for each that is not.

    A type is whole when its unit was pulled whole and its landed resources are all accounted for. Raises the load's
    first error when no type is whole; TemporaryError where the load is complete but the broker could not be told: called
    again, the step only tells it.
    """
    load = refresh.store.loads.get(load_id)
    if load.status != "completed":
        with holding(refresh, load_id, "complete") as load:
            _complete(refresh, load)
        _tidy_landing(refresh)
    tell(refresh)
    return report_of(refresh.store.loads.get(load_id))


def _complete(refresh: Refresh, load: Load) -> None:
    store = refresh.store
    counts = store.loads.figures(load.id)
    watermarks, gaps = _settled(refresh, load, counts)
    if gaps and not watermarks:
        _fail(refresh, load, gaps)
    store.loads.complete(load.id, watermarks, refresh.clock(), missing=gaps)
    report = report_of(store.loads.get(load.id))
    log.info("load completed", site=load.site, load=load.id, status=report.status, published=report.published)


def _settled(refresh: Refresh, load: Load, counts: dict[str, TypeCounts]) -> tuple[dict[str, datetime], list[Gap]]:
    """The watermarks of the types that are whole, and a gap for each that is not."""
    pulled, known = refresh.store.loads.pulled(load.id), refresh.store.watermarks.of(load.site)
    unfinished = refresh.store.loads.unfinished(load.id)
    watermarks: dict[str, datetime] = {}
    gaps: list[Gap] = []
    for name in load.plan.types:
        unit = pulled.get(name) or pulled.get(EXPORT)
        if name in REFERRED_TYPES and name not in load.plan.units and unit is None:
            continue  # it came with the types that name it, and is whole as they are
        if unit is None or not unit.complete:
            gaps.append(_gap(load, name, (unit and unit.error) or "not pulled", refresh.clock()))
        elif name not in counts:
            gaps.append(_gap(load, name, "not mapped", refresh.clock()))
        elif name in unfinished:
            gaps.append(_gap(load, name, "mapped in part", refresh.clock()))
        elif not unit.delivered:
            if name in known:
                gaps.append(
                    _gap(load, name, "no file of this type was delivered, as there was before", refresh.clock())
                )
        elif not counts[name].adds_up():
            raise OperatorError(
                f"{name}: the counts of load {load.id} do not add up", "This is a defect; please report it."
            )
        elif counts[name].read or name in known:  # a first read that gave nothing proves nothing
            watermarks[name] = _watermark(unit, refresh.clock())
    return watermarks, gaps


def _watermark(unit: Pulled, now: datetime) -> datetime:
    """The server's time of the pull or the newest update seen, whichever is earlier, and never the future."""
    return min(moment for moment in (unit.as_of, unit.newest, now) if moment is not None)


def _gap(load: Load, name: str, reason: str, now: datetime) -> Gap:
    since = load.plan.since.get(name)
    return Gap(resource_type=name, since=since, until=now, reason=reason)


def _fail(refresh: Refresh, load: Load, gaps: list[Gap]) -> None:
    """Ends a load of which nothing could be read, tells the network, and raises."""
    causes = list(dict.fromkeys(gap.reason for gap in gaps))
    refresh.store.loads.fail(load.id, refresh.clock(), causes[0], missing=gaps)
    try_to_tell(refresh)
    raise OperatorError(
        f"{load.site}: nothing could be read: {'; '.join(causes[:3])}", "See `mainstem status`; then run it again."
    )


def _tidy_landing(refresh: Refresh) -> None:
    """Removes what older loads landed, but for quarantined lines that no later load has replaced."""
    refresh.landing_zone.tidy(
        keep=refresh.settings.keep_loads,
        needed=lambda load_id: any(refresh.store.quarantine.of(refresh.site.site, load_id)),
    )
