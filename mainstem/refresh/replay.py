"""What was landed, mapped again: all of it (remap) or what could not be used (retry); a load of its own, without the EHR.

Of each resource the newest line counts, whichever load landed it; what a later load withdrew stays withdrawn. So what is
published is what another mapping, code map or setting makes of the same, and nothing else.
"""

import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

import structlog

from connectors.formats.ndjson import read_batches
from mainstem.config.site_mapper import subject_key
from mainstem.publisher.beside import PublisherBeside
from mainstem.refresh.came import Came, heads
from mainstem.refresh.cohort import roster_of
from mainstem.refresh.consents import open_lines
from mainstem.refresh.derive import derive, mapper_of
from mainstem.refresh.door import holding, locked
from mainstem.refresh.map import BLOCKS, Lines, Share, TypeLoad
from mainstem.refresh.opening import Refresh
from mainstem.refresh.publish import note_published, publish
from mainstem.refresh.quality import judge_touched
from mainstem.refresh.report import report_of
from mainstem.refresh.run import PUBLISH_BESIDE_FROM
from mainstem.refresh.telling import tell, try_to_tell
from mainstem.state import Load, Plan
from schemas.errors import OperatorError, TemporaryError
from schemas.loads import LoadReport
from schemas.outcomes import families
from schemas.problems import Problem
from transforms import ALL_TYPES, Mapper
from transforms.mapped import REF_BYTES

log = structlog.get_logger()
Kind = Literal["retry", "remap"]
DOOR = "replay"
"""The right to replay; an unfinished replay that nobody holds is given up for a refresh."""


class Source(NamedTuple):
    """What one load landed of a type."""

    load: str
    folder: str
    paths: Sequence[Path]
    only: Collection[bytes] | None = None
    """Refs of the lines that are wanted; none: all."""
    later: Collection[str] = ()
    """Refreshes after that load."""


class Replayed(NamedTuple):
    """A replay that ended."""

    report: LoadReport
    resumed: bool


def remap(refresh: Refresh, *, beside: bool = True) -> LoadReport:
    """Maps all that the landing holds again. Taken up again where one is unfinished.

    `beside`: much is published in a process of its own while the rest is mapped.
    """
    return _replay(refresh, "remap", "", beside)


def retry(refresh: Refresh, *, reason: str = "", beside: bool = True) -> LoadReport:
    """Maps again what could not be used, all of it or that of one reason."""
    return _replay(refresh, "retry", reason, beside)


def _replay(refresh: Refresh, kind: Kind, reason: str, side_by_side: bool) -> LoadReport:
    began, settings = time.perf_counter(), refresh.settings
    start_after = PUBLISH_BESIDE_FROM if side_by_side else sys.maxsize
    with locked(refresh, "run"), locked(refresh, DOOR):
        load, resumed = _opened(refresh, kind, reason)
        with PublisherBeside(refresh.site.site, settings, start_after=start_after, notice=refresh.notice) as beside:
            notes = _map(refresh, load, beside)
            derive(refresh, load.id)
            if (published := beside.finish()) is not None:
                note_published(refresh, load.id, published)
        publish(refresh, load.id)
        with holding(refresh, load.id, "complete"):
            quality = judge_touched(refresh, load)
            refresh.store.loads.complete(load.id, {}, refresh.clock(), notes=notes, quality=quality)
        tell(refresh)
    report = report_of(refresh.store.loads.get(load.id))
    log.info("replayed", site=load.site, load=load.id, kind=kind, read=report.total.read, published=report.published)
    return report.model_copy(update={"resumed": resumed, "seconds": time.perf_counter() - began})


def _opened(refresh: Refresh, kind: Kind, reason: str) -> tuple[Load, bool]:
    """The unfinished replay of the same kind, else a new one; and whether it was open."""
    store, site = refresh.store, refresh.site.site
    asked = [reason] if reason else []
    subject_key(refresh.site, refresh.secrets)  # before a load is opened with which nothing can be done
    unfinished = store.loads.open(site)
    if unfinished is not None:
        if (unfinished.plan.replay, unfinished.plan.asked_types) == (kind, asked):
            return unfinished, True
        if not unfinished.plan.replay:
            raise TemporaryError(
                f"load {unfinished.id} is not finished",
                f"Wait for it, or finish it: `mainstem run`; then {kind} again.",
            )
        store.loads.abandon(unfinished.id, ended=refresh.clock())
    sources = {name: _sources(refresh, name, kind, reason) for name in ALL_TYPES}
    types = [name for name, found in sources.items() if found]
    if not types:
        raise _nothing(site, kind)
    replayed = sorted({each.load for found in sources.values() for each in found if each.only is None})
    plan = Plan(types=types, asked_types=asked, replay=kind, replayed=replayed)
    load = store.loads.start(site, mode="incremental", started=refresh.clock(), plan=plan)
    log.info("replay planned", site=site, load=load.id, kind=kind, types=len(types), loads=len(replayed))
    try_to_tell(refresh)
    return load, False


def _nothing(site: str, kind: Kind) -> OperatorError:
    if kind == "retry":
        return OperatorError(f"{site}: nothing is in quarantine that could be tried", "See `mainstem quarantine list`.")
    return OperatorError(f"{site}: the landing holds nothing", "Read the site anew: `mainstem run --full`.")


def _sources(refresh: Refresh, name: str, kind: Kind, reason: str) -> list[Source]:
    """Where lines of a type are, the newest load first: what it landed, else what of it could not be used."""
    store, site = refresh.store, refresh.site.site
    refused: dict[str, set[bytes]] = {}
    for load, each in store.quarantine.named(site, name, reason):
        refused.setdefault(load, set()).add(each)
    refreshes = [load.id for load in store.loads.of(site, limit=1_000) if not load.plan.replay]
    found = []
    for load, landing in refresh.landing_zone.loads():
        later = frozenset(each for each in refreshes if each > load)
        folder = landing.folder.name
        if kind == "remap" and (paths := landing.files(name)):
            found.append(Source(load, folder, paths, None, later))
        elif refs := refused.get(load):
            paths = [path for each, path in landing.quarantined() if each == name]
            found.append(Source(load, folder, paths, refs, later))
    return [each for each in found if each.paths]


def _map(refresh: Refresh, load: Load, beside: PublisherBeside) -> list[str]:
    """Every type of the load, those that are looked up first. Returns what is to be noted."""
    mapper, notes = mapper_of(refresh), list[str]()
    kind, reason = load.plan.replay, "".join(load.plan.asked_types)
    with closing(Came()) as came:
        for name in chain.from_iterable(families(load.plan.types)):
            with holding(refresh, load.id, "map", name):
                sources = _sources(refresh, name, "remap" if kind == "remap" else "retry", reason)
                landed = [each for each in sources if each.load != load.id]
                for age, source in enumerate(landed):
                    told = _Told(came, age, source, age + 1 == len(landed))
                    _map_source(refresh, load, name, mapper, beside, told)
                notes += _lost(refresh, name, reason, came) if kind != "remap" else []
        notes += _lacking(refresh, load, came) if kind == "remap" else []
    return notes


class _Told(NamedTuple):
    """One source among all of its type."""

    came: Came
    age: int
    """0: the newest."""
    source: Source
    oldest: bool


def _map_source(refresh: Refresh, load: Load, name: str, mapper: Mapper, beside: PublisherBeside, told: _Told) -> None:
    source = told.source
    roster = roster_of(refresh, source.load)
    some = roster if roster and not roster.by_export else None
    share = Share(
        part=f"{name}/{source.folder}",
        kept_as=f"{name}.{source.folder}",
        own=some.belongs(name) if some else None,
        open=open_lines(refresh, name),
        narrowed=some.narrowed(name) if some else None,
        landed=f"{source.folder}/",
        outdated_by=source.later,
    )
    with TypeLoad(refresh, load.id, name, mapper, beside, share) as part:
        for path in source.paths:
            batches = read_batches(path, cap=refresh.site.limits.line_bytes, blocks=BLOCKS)
            marked = _marked(batches, name, mapper, told)
            for number, lines in part.left(path, marked):
                if not isinstance(lines, Problem):
                    _take(part, lines, path, number, name, mapper, told)
                elif source.only is None:
                    part.skip(lines, path, number)
            for _ in marked:
                pass  # what was done before came, too
        part.finish()


def _marked(batches: Iterator[Lines], name: str, mapper: Mapper, told: _Told) -> Iterator[Lines]:
    """The same lines, noted as having come."""
    for number, lines in batches:
        if not isinstance(lines, Problem):
            refs = _refs(mapper, name, lines)
            told.came.add(refs)
            if not told.oldest:
                told.came.mark(told.age, heads(refs, lines))
        yield number, lines


def _take(part: TypeLoad, lines: list[bytes], path: Path, number: int, name: str, mapper: Mapper, told: _Told) -> None:
    """Those lines that are wanted and the newest of their resource."""
    only = told.source.only
    if not told.age and only is None:
        part.take(lines, path, range(number, number + len(lines)))
        return
    refs = _refs(mapper, name, lines)
    outdated = told.came.outdated(told.age, heads(refs, lines)) if told.age else ()
    places = [place for place, ref in enumerate(refs) if place not in outdated and (only is None or ref in only)]
    if places:
        part.take([lines[place] for place in places], path, [number + place for place in places])


def _refs(mapper: Mapper, name: str, lines: Sequence[bytes]) -> list[bytes]:
    return [id_[:REF_BYTES] for id_ in mapper.record_ids(name, lines)]


def _lacking(refresh: Refresh, load: Load, came: Came) -> list[str]:
    """What is said of what the landing holds no more: some resources of a type, or all of it."""
    absences = refresh.store.absences
    counted = {} if came.all_came(absences.held(load.site)) else came.lacking(absences.sources(load.site))
    lacking = [
        f"{name}: {counted[name][0]} of {counted[name][1]} resources are no longer in the landing; they stay as they were mapped until "
        "they are read anew"
        for name in load.plan.types
        if counted.get(name, (0, 0))[0]
    ]
    absent = [
        f"{line.resource_type}: nothing of it is in the landing; it stays as it was mapped"
        for line in refresh.store.status(load.site)
        if line.records and line.resource_type not in load.plan.types and line.resource_type in ALL_TYPES
    ]
    return lacking + absent


def _lost(refresh: Refresh, name: str, reason: str, came: Came) -> list[str]:
    """What is said of refused resources whose lines are gone."""
    left = {ref for _, ref in refresh.store.quarantine.named(refresh.site.site, name, reason)}
    lost, _ = came.lacking((name, ref) for ref in sorted(left)).get(name, (0, 0))
    return (
        [f"{name}: the lines of {lost} refused resources are kept no more; they are read when they come again"]
        if lost
        else []
    )
