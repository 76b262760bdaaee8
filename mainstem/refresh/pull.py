"""The step pull: raw FHIR into the landing zone."""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime
from functools import partial
from time import monotonic

import msgspec
import structlog

from connectors.pulled import EVERY_TYPE, EXPORT, Pulled, Shortfall, reasons
from connectors.pulling import Wanted, pull
from mainstem.refresh import cohort, consents
from mainstem.refresh.door import holding
from mainstem.refresh.lately import SECONDS, Lately
from mainstem.refresh.opening import Refresh
from mainstem.state import Load
from schemas.errors import IncompleteError, MainstemError
from schemas.gaps import GapCause
from schemas.outcomes import CORE_TYPES, fhir_types_of

log = structlog.get_logger()
_REFUSALS = (GapCause.REFUSED, GapCause.NOT_EXPORTED)
FEW = 10
"""Resources that may come and go whatever share of a type they are."""


def pull_units(refresh: Refresh, load_id: str, names: Sequence[str]) -> int:
    """Pulls some units of a load into the landing zone; a unit already landed costs nothing.

    Every unit is tried; what could not be read is noted with the load, and the first error is raised at the end.
    Returns how many resources the units hold. Raises BusyError, at once, where somebody else pulls one of them.
    """
    resources, failed = pull_each(refresh, load_id, names)
    if failed is not None:
        raise failed
    return resources


def pull_each(refresh: Refresh, load_id: str, names: Sequence[str]) -> tuple[int, MainstemError | None]:
    """The same; gives the first error of a unit beside the count instead of raising it."""
    resources, failed = 0, None
    accepted = {(each.resource_type, each.cause) for each in refresh.store.gaps.acceptances(refresh.site.site)}
    narrowed = refresh.store.cohorts.types(refresh.site.site)
    stopped = Lately(partial(refresh.store.consents.stopped, refresh.site.site))
    with _Noting(refresh, load_id) as noting:
        for name in names:
            load = noting.hold(name)
            pulled, error = _lacking(refresh, load, *_tried(refresh, load, name, narrowed, stopped()))
            noting.note(name, pulled)
            resources += pulled.resources
            if short := [each for each in pulled.short if (each.type, each.cause) not in accepted]:
                error = error or IncompleteError(reasons(short), short[0].fix or short[0].cause.fix, gap=short[0].cause)
                log.warning("pull failed", site=load.site, load=load_id, unit=name, cause=error.cause, fix=error.fix)
                failed = failed or error
    return resources, failed


class _Noting(AbstractContextManager["_Noting"]):
    """What units gave, noted with the load: what came within a second together, as a transaction for each is what small units
    cost. A unit is held until it is noted; what a crash kept from being noted is whole in the landing, and costs nothing again."""

    def __init__(self, refresh: Refresh, load_id: str) -> None:
        self._refresh, self._load = refresh, load_id
        self._pulled: dict[str, Pulled] = {}
        self._held = ExitStack()
        self._noted = monotonic()
        self._known: Load | None = None

    def hold(self, name: str) -> Load:
        """The right to pull a unit."""
        holds = holding(self._refresh, self._load, "pull", name, known=self._known)
        self._known = self._held.enter_context(holds)
        return self._known

    def note(self, name: str, pulled: Pulled) -> None:
        """What a unit gave."""
        self._pulled[name] = pulled
        if pulled.short or (pulled.resources and monotonic() - self._noted > SECONDS):
            self._write()

    def _write(self) -> None:
        pulled, self._pulled = self._pulled, {}
        with self._held:
            if pulled:
                self._refresh.store.loads.record_pulled(self._load, pulled)
        self._noted = monotonic()

    def __exit__(self, *_: object) -> None:
        self._write()


def _tried(
    refresh: Refresh, load: Load, name: str, narrowed: Collection[str], stopped: Collection[bytes]
) -> tuple[Pulled, MainstemError | None]:
    """What a unit gave; where it raised, the error that left it unread. `narrowed`: types that were read of a cohort; `stopped`:
    subjects who withdrew."""
    try:
        return _pull_unit(refresh, load, name, narrowed, stopped), None
    except MainstemError as exc:
        concerned = EVERY_TYPE if name == EXPORT else name
        return Pulled(unit=name, short=[Shortfall.of_error(concerned, exc)], as_of=refresh.clock()), exc


def _lacking(
    refresh: Refresh, load: Load, pulled: Pulled, error: MainstemError | None
) -> tuple[Pulled, MainstemError | None]:
    """What nobody asked for by name, and the server refuses and never gave, is not missed: it is said, and is no gap.

    A site file without types reads what its server gives; a new version of ours asks for more than it did.
    """
    if not pulled.short:
        return pulled, error
    known = refresh.store.watermarks.of(load.site)
    named = refresh.site.types if "types" in refresh.site.model_fields_set else load.plan.asked_types

    def unmissed(short: Shortfall) -> bool:
        unasked = short.type not in CORE_TYPES and short.type not in named and short.type not in known
        return unasked and bool(short.type) and short.cause in _REFUSALS

    passed = [each for each in pulled.short if unmissed(each)]
    if not passed:
        return pulled, error
    said = [f"{each.reason}; not missed, as the site file does not name {each.type}" for each in passed]
    left = [each for each in pulled.short if each not in passed]
    delivered = pulled.delivered and not (error and not left)
    found = msgspec.structs.replace(pulled, short=left, notes=[*pulled.notes, *said], delivered=delivered)
    return found, error if left else None


def _pull_unit(
    refresh: Refresh, load: Load, name: str, narrowed: Collection[str], stopped: Collection[bytes]
) -> Pulled:
    types = load.plan.types if name == EXPORT else [name]
    roster = cohort.roster_of(refresh, load.id)
    joined = cohort.joined(refresh, roster, [each for each in types if each in load.plan.since]) if roster else set()
    # An export begins at one moment for all; so does everybody where a cohort was read before.
    anew = bool(joined) if name == EXPORT else roster is None and any(each in narrowed for each in types)
    since = None if anew else _since(load, types)
    sift = consents.sift(refresh, stopped)
    wanted = Wanted(
        unit=name,
        landing=refresh.landing(load.id),
        roster=roster,
        new=joined,
        since=since,
        sift=sift,
        progress=lambda unit, count, of: refresh.progress("pull", unit, count, of),
    )
    pulled = pull(refresh.source(load.plan.types, load.plan.vendor), wanted)
    if sift is not None:
        pulled = sift.sifted(wanted.landing, pulled, cap=refresh.site.limits.line_bytes)
    if roster and name == load.plan.units[0]:
        pulled = msgspec.structs.replace(pulled, notes=[*pulled.notes, *cohort.notes(refresh, roster, joined)])
    pulled = msgspec.structs.replace(pulled, full=pulled.full or since is None)
    if not pulled.full and not _unheeded(refresh, load, pulled):
        return pulled
    silent = [
        Shortfall(each, GapCause.FELL_SILENT, f"{each}: the EHR answered with no resource, but had some before")
        for each in _fallen_silent(refresh, load.site, pulled, types)
        if not pulled.missing(each)
    ]
    steady = roster is None or not roster.members or not cohort.left(refresh, roster)
    fallen = _sharp_falls(refresh, load, pulled) if steady else []  # fewer people have less
    return msgspec.structs.replace(pulled, full=True, short=[*pulled.short, *silent, *fallen])


def _unheeded(refresh: Refresh, load: Load, pulled: Pulled) -> bool:
    """Whether an answer of nothing is one of a server that was proven not to heed `_lastUpdated`."""
    proof = refresh.store.loads.last_pulled(load.site, pulled.unit, lambda each: each.heeds is not None)
    return pulled.heeds is None and proof is not None and proof.heeds is False


def _sharp_falls(refresh: Refresh, load: Load, pulled: Pulled) -> list[Shortfall]:
    """Types of which far less came than at the last full read that was whole of them."""
    fallen, limit = [], refresh.site.limits.fall_percent
    for name, now in pulled.types.items():
        if not now or pulled.missing(name):
            continue
        then = _came_before(refresh, load, pulled.unit, name)
        if now < then * (1 - limit / 100) and then - now >= FEW:
            reason = f"{name}: {now} came, {then} at the last full read: more than {limit:g} % less"
            fallen.append(Shortfall(name, GapCause.SHARP_FALL, reason))
    return fallen


def _came_before(refresh: Refresh, load: Load, unit: str, name: str) -> int:
    """How many of a type came at the last full read that was whole of it."""
    whole = refresh.store.loads.last_pulled(load.site, unit, lambda each: each.full and not each.missing(name))
    return whole.types.get(name, 0) if whole else 0


def _fallen_silent(refresh: Refresh, site: str, pulled: Pulled, types: Sequence[str]) -> list[str]:
    """Types read in full that gave nothing though the state holds records of them: an error, not success."""
    if not pulled.delivered:
        return []
    silent = {name for name in types if not pulled.types.get(name)}
    if not silent:
        return []
    return [
        line.resource_type
        for line in refresh.store.status(site)
        if line.records
        and line.resource_type in silent
        and (line.watermark or len(fhir_types_of(line.record_type)) == 1)
    ]


def _since(load: Load, types: Sequence[str]) -> datetime | None:
    """The earliest watermark of the types; none where one of them has none, so that it is read from the beginning."""
    since = [load.plan.since.get(name) for name in types]
    known = [value for value in since if value is not None]
    return min(known) if known and len(known) == len(since) else None
