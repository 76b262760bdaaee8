"""The step complete: counts proven, watermarks moved, gaps opened, the landing tidied."""

from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, get_args

import structlog

from connectors.pulled import EXPORT, Pulled, Shortfall, reasons
from mainstem.refresh import cohort
from mainstem.refresh.absent import beforehand, unjudged
from mainstem.refresh.consents import purge
from mainstem.refresh.delivered import judge_delivery
from mainstem.refresh.door import holding
from mainstem.refresh.figures import tell_figures
from mainstem.refresh.merged import PATIENT
from mainstem.refresh.opening import Refresh
from mainstem.refresh.quality import judge_touched
from mainstem.refresh.report import report_of
from mainstem.refresh.telling import tell, try_to_tell
from mainstem.state import Load
from schemas.errors import OperatorError, TemporaryError
from schemas.gaps import GapCause, Who
from schemas.loads import Gap, LoadReport, TypeCounts
from schemas.outcomes import REFERRED_TYPES
from schemas.problems import Reason

log = structlog.get_logger()
TRUE_IF_ACCEPTED = frozenset({GapCause.FELL_SILENT, GapCause.SHARP_FALL})
"""What an operator accepts as the truth about a type that was read: its watermark moves."""


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
        purge(refresh)
    tell(refresh)
    return report_of(refresh.store.loads.get(load_id))


def _complete(refresh: Refresh, load: Load) -> None:
    store = refresh.store
    judge_delivery(refresh, load)
    counts = store.loads.figures(load.id)
    settled = _settled(refresh, load, counts)
    if settled.gaps and not settled.watermarks and not any(each.read for each in counts.values()):
        _fail(refresh, load, settled.gaps)
    store.loads.complete(
        load.id,
        settled.watermarks,
        refresh.clock(),
        missing=settled.gaps,
        accepted=settled.accepted,
        whole=settled.whole,
        notes=_awaited(refresh, counts),
        unjudged=_unjudged(refresh, load),
        quality=judge_touched(refresh, load),
    )
    cohort.settle(refresh, load, settled.watermarks)
    ended = store.loads.get(load.id)
    report = report_of(ended)
    tell_figures(ended, report)
    log.info("load completed", site=load.site, load=load.id, status=report.status, published=report.published)


def _awaited(refresh: Refresh, counts: Container[str]) -> list[str]:
    """What is told of merges into somebody who has not come."""
    waiting = refresh.store.aliases.waiting(refresh.site.site) if PATIENT in counts else 0
    return [f"Patient: of {waiting} who were merged the surviving Patient has not come yet"] if waiting else []


def _unjudged(refresh: Refresh, load: Load) -> dict[str, str]:
    """Why absence was not judged, by type."""
    pulled = refresh.store.loads.pulled(load.id)
    units = {name: pulled.get(name) or pulled.get(EXPORT) for name in load.plan.types if name not in REFERRED_TYPES}
    said = beforehand(refresh)
    found = {name: unjudged(refresh, name, unit, said) for name, unit in units.items() if unit is not None}
    return {name: why for name, why in found.items() if why}


class _Settled(NamedTuple):
    """What a load proved, by type."""

    watermarks: dict[str, datetime]
    """Of the types that are whole."""
    gaps: list[Gap]
    accepted: list[Gap]
    whole: set[str]
    """Of which nothing is missing: all came, or nothing was to come."""


def _settled(refresh: Refresh, load: Load, counts: dict[str, TypeCounts]) -> _Settled:
    """The watermarks of the types that are whole, and a gap for each that is not and need not be."""
    pulled, known = refresh.store.loads.pulled(load.id), refresh.store.watermarks.of(load.site)
    accepted = {(each.resource_type, each.cause) for each in refresh.store.gaps.acceptances(load.site)}
    unfinished = refresh.store.loads.unfinished(load.id)
    now, settled = refresh.clock(), _Settled({}, [], [], set())
    for name in load.plan.types:
        unit = pulled.get(name) or pulled.get(EXPORT)
        if name in REFERRED_TYPES and name not in load.plan.units and unit is None:
            continue  # it came with the types that name it, and is whole as they are
        short = _short(unit, name, counts, known)
        if not short and name in unfinished:
            short = [Shortfall(name, GapCause.NOT_MAPPED, "mapped in part")]
        allowed = [each for each in short if (name, each.cause) in accepted]
        if missing := [each for each in short if each not in allowed]:
            settled.gaps.append(_gap(load, name, missing, now))
        if allowed:
            settled.accepted.append(_gap(load, name, allowed, now))
        if not short:
            settled.whole.add(name)
        if unit is None or any(each.cause not in TRUE_IF_ACCEPTED for each in allowed) or missing or not unit.delivered:
            continue
        _require_sum(load, name, counts[name])
        upto = _watermark(unit, now) or known.get(name)
        if upto and (counts[name].read or name in known):  # a first read that gave nothing proves nothing
            settled.watermarks[name] = upto
    return settled


def _short(
    unit: Pulled | None, name: str, counts: Mapping[str, TypeCounts], known: Container[str]
) -> Sequence[Shortfall]:
    """What a type lacks of being whole."""
    if unit is None:
        return [Shortfall(name, GapCause.NOT_WHOLE, "not pulled")]
    if short := unit.missing(name):
        return short
    if name not in counts:
        return [Shortfall(name, GapCause.NOT_MAPPED, "not mapped")]
    if said := _unreadable(counts[name]):
        return [Shortfall(name, GapCause.FILE_NOT_READ, said)]
    if not unit.delivered and name in known:
        return [Shortfall(name, GapCause.NOT_DELIVERED, "no file of this type was delivered, as there was before")]
    return []


def _require_sum(load: Load, name: str, counts: TypeCounts) -> None:
    if not counts.adds_up():
        raise OperatorError(
            f"{name}: the counts of load {load.id} do not add up", "This is a defect; please report it."
        )


def _watermark(unit: Pulled, now: datetime) -> datetime | None:
    """The server's time of the pull or the newest update seen, whichever is earlier, and never the future.

    None where neither is known: a Date beside an empty answer is no proof that nothing was there, and our clock none at all.
    """
    if unit.newest is None and not unit.timed:
        return None
    return min(moment for moment in (unit.as_of, unit.newest, now) if moment is not None)


def _gap(load: Load, name: str, short: Sequence[Shortfall], now: datetime) -> Gap:
    cause = short[0].cause
    fix, who = next(((each.fix, each.who or each.cause.who) for each in short if each.fix), (cause.fix, cause.who))
    return Gap(
        resource_type=name,
        since=load.plan.since.get(name),
        until=now,
        reason=reasons(short),
        cause=cause,
        fix=fix,
        who=who,
    )


def _fail(refresh: Refresh, load: Load, gaps: list[Gap]) -> None:
    """Ends a load of which nothing could be read, tells the network, and raises: of the kind, and with the fix, of what kept it."""
    causes = list(dict.fromkeys(gap.reason for gap in gaps))
    fixes = list(dict.fromkeys(gap.fix for gap in gaps if gap.fix))
    who = next((each for each in get_args(Who) for gap in gaps if gap.fix and gap.who == each), None)
    passes = all(gap.cause == GapCause.NOT_ANSWERED for gap in gaps)
    refresh.store.loads.fail(load.id, refresh.clock(), causes[0], missing=gaps)
    try_to_tell(refresh)
    cause = f"{load.site}: nothing could be read: {'; '.join(causes[:3])}"
    fix = " ".join(fixes[:3]) or "See `mainstem status`; then run it again."
    raise TemporaryError(cause, fix, who=who) if passes else OperatorError(cause, fix, who=who)


def _tidy_landing(refresh: Refresh) -> None:
    """Removes what older loads landed, but for quarantined lines that no later load has replaced."""
    refresh.landing_zone.tidy(
        keep=refresh.settings.keep_loads,
        needed=lambda load_id: any(refresh.store.quarantine.of(refresh.site.site, load_id)),
    )


def _unreadable(counts: TypeCounts) -> str:
    """Where no line of a type says what it is: not resources are unusable then, but what came is something else."""
    none = {name: counts.skipped.get(name, 0) for name in (Reason.INVALID_JSON, Reason.NOT_A_RESOURCE)}
    if not counts.read or sum(none.values()) < counts.read:
        return ""
    named = ", ".join(f"{name}: {number:,}" for name, number in none.items() if number)
    return f"none of the {counts.read:,} lines that came holds a resource ({named})"
