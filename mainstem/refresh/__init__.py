"""One site's refresh as five steps: plan, pull, map, publish, complete.

Each step can be run again after a crash and then does only what is left. `mainstem run` and the DAGs call the same
functions. A step takes and returns ids and counts, never patient data.
"""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal

import structlog

from connectors.formats.ndjson import read_batches
from connectors.landing import Landing
from connectors.pulling import Pulled, landed, pull, read_capabilities, units
from connectors.roads.bulk import UNIT as EXPORT
from mainstem.check.preflight import check
from mainstem.config.settings import Settings
from mainstem.config.site_files import Secrets, SiteFile, file_secrets, read_site
from mainstem.config.site_mapper import site_mapper
from mainstem.publisher import Published, Publisher, publisher_of
from mainstem.refresh.beside import PublisherBeside
from mainstem.refresh.recognition import Question, Recogniser
from mainstem.state import Load, Store
from schemas.errors import IncompleteError, MainstemError, OperatorError
from schemas.loads import Gap, LoadEvent, LoadEventType, TypeCounts
from schemas.problems import Problem, Reason
from schemas.sites import Site
from transforms import Mapped, Mapper
from transforms.mapped import WHOLE

log = structlog.get_logger()

Mode = Literal["incremental", "full"]
Progress = Callable[[str, str, int], None]
"""(step, unit or type, how many so far): for progress bars; called now and then."""

BATCH = 8_000
"""Records a transaction: larger ones gain little, and a batch is what memory is spent on."""
PUBLISH_BESIDE_FROM = 2 * BATCH
"""Changes after which publishing starts beside the mapping; below, a process of its own costs more than it saves."""
BLOCKS = 32
"""Blocks of a landing file taken at once: a question to the database costs much the same for few lines as for many."""
JUDGED_AT_MOST = 100
"""Resources a type and load checked in full where the site asks for a sample."""


def utc_now() -> datetime:
    """The clock where none is given."""
    return datetime.now(UTC)


def no_progress(_step: str, _unit: str, _count: int) -> None:
    """Shows nothing."""


@dataclass(frozen=True)
class Refresh:
    """What the steps of one site's refresh need of the world."""

    file: SiteFile
    settings: Settings
    store: Store
    secrets: Secrets
    clock: Callable[[], datetime] = utc_now
    progress: Progress = no_progress

    @property
    def site(self) -> Site:
        """The site's configuration."""
        return self.file.site

    def landing(self, load_id: str) -> Landing:
        """A load's folder in the landing zone."""
        return Landing(self.site_landing / load_id.partition("/")[2].replace(":", ""))

    @property
    def site_landing(self) -> Path:
        """The site's folder in the landing zone."""
        return self.settings.landing / self.site.site

    def publisher(self) -> Publisher:
        """A publisher of this site's changes."""
        sent = 0

        def count(events: int) -> None:
            nonlocal sent
            sent += events
            self.progress("publish", "events", sent)

        return publisher_of(self.site.site, self.settings, self.store, progress=count)


@contextmanager
def open_refresh(
    site_path: Path, settings: Settings, *, secrets: Secrets | None = None, progress: Progress = no_progress
) -> Iterator[Refresh]:
    """A site's refresh on the configured parts; closes the store at the end."""
    file = read_site(site_path)
    store = Store.open(settings.database_url)
    try:
        store.migrate()
        yield Refresh(file, settings, store, secrets or file_secrets(file.folder), progress=progress)
    finally:
        store.close()


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


@dataclass
class Report:
    """What a load did."""

    load: str
    site: str
    mode: Mode
    status: Literal["completed", "partial", "failed"]
    types: dict[str, TypeCounts]
    watermarks: dict[str, datetime]
    gaps: list[Gap]
    published: int
    resumed: bool = False
    seconds: float = 0.0
    shares: dict[str, float] = field(default_factory=dict)
    """Seconds by step."""

    @property
    def total(self) -> TypeCounts:
        """The types' figures added up."""
        return add_up(self.types.values())

    def as_json(self) -> dict[str, Any]:
        """For `--json` and the store."""
        return {
            "load": self.load,
            "site": self.site,
            "mode": self.mode,
            "status": self.status,
            "types": {name: counts.model_dump() for name, counts in self.types.items()},
            "total": self.total.model_dump(),
            "watermarks": {name: value.isoformat() for name, value in self.watermarks.items()},
            "gaps": [gap.model_dump(mode="json") for gap in self.gaps],
            "published": self.published,
            "resumed": self.resumed,
            "seconds": round(self.seconds, 3),
            "shares": {step: round(seconds, 3) for step, seconds in self.shares.items()},
        }


def add_up(counts: Any) -> TypeCounts:
    """The sum of several types' figures."""
    total = TypeCounts()
    for each in counts:
        for name in TypeCounts.model_fields:
            if name == "skipped":
                total.skipped = dict(Counter(total.skipped) + Counter(each.skipped))
            else:
                setattr(total, name, getattr(total, name) + getattr(each, name))
    return total


# -- preflight --------------------------------------------------------------------------------------------------------


def preflight(refresh: Refresh) -> int:
    """Proves that the site can be read, in seconds. Returns how many checks passed."""
    findings = check(refresh.site, folder=refresh.file.folder, secrets=refresh.secrets)
    if failed := [finding for finding in findings if not finding.ok]:
        raise OperatorError("; ".join(f"{finding.name}: {finding.what}" for finding in failed), failed[0].fix)
    return len(findings)


# -- plan ------------------------------------------------------------------------------------------------------------


def plan(
    refresh: Refresh,
    *,
    mode: Mode = "incremental",
    types: Sequence[str] = (),
    since: datetime | None = None,
    fresh: bool = False,
) -> Plan:
    """Which types, by which units, since when. An unfinished load of the site is taken up again unless `fresh`.

    `types` limits the load to some of the site's types; `since` (UTC) reads again from then, where that is before the
    watermark: a later one would let the watermark pass what was never read.
    """
    site, store = refresh.site, refresh.store
    if unknown := sorted(set(types) - set(site.types)):
        raise OperatorError(
            f"{site.site} does not read {', '.join(unknown)}", f"Its types are {', '.join(site.types)}."
        )
    unfinished = store.open_load(site.site)
    if unfinished is not None:
        if not fresh and unfinished.mode == mode:
            return _plan_of(unfinished, resumed=True)
        store.finish_load(unfinished.id, status="abandoned", ended=refresh.clock())
    wanted = [name for name in site.types if not types or name in types]
    chosen = site.model_copy(update={"types": wanted})
    starts = {} if mode == "full" else _starts(refresh, wanted, since)
    load = store.start_load(
        site.site,
        mode=mode,
        started=refresh.clock(),
        plan={
            "types": wanted,
            "units": units(chosen, read_capabilities(chosen, folder=refresh.file.folder, secrets=refresh.secrets)),
            "since": {name: value.isoformat() for name, value in starts.items()},
        },
    )
    log.info("load planned", site=site.site, load=load.id, mode=mode, types=len(wanted))
    announce(refresh, _load_event(load, LoadEventType.STARTED, None))
    return _plan_of(load, resumed=False)


def _starts(refresh: Refresh, types: Sequence[str], since: datetime | None) -> dict[str, datetime]:
    """Where each type's pull begins: its watermark less the overlap, or further back; types never read have none."""
    watermarks = refresh.store.watermarks(refresh.site.site)
    starts = {name: watermarks[name] - refresh.site.overlap for name in types if name in watermarks}
    return starts if since is None else {name: min(start, since) for name, start in starts.items()}


def planned(refresh: Refresh, load_id: str) -> Plan:
    """The plan of a load, for a task that has only its id."""
    return _plan_of(refresh.store.load(load_id), resumed=False)


def _plan_of(load: Load, *, resumed: bool) -> Plan:
    return Plan(load.id, load.mode, resumed, list(load.plan["types"]), list(load.plan["units"]))


# -- pull ------------------------------------------------------------------------------------------------------------


def pull_units(refresh: Refresh, load_id: str, names: Sequence[str]) -> int:
    """Pulls some units of a load into the landing zone; a unit already landed costs nothing.

    Every unit is tried; what could not be read is noted with the load, and the first error is raised at the end.
    Returns how many resources the units hold.
    """
    load = refresh.store.load(load_id)
    resources, failed = 0, None
    for name in names:
        try:
            pulled = _pull_unit(refresh, load, name)
            resources += max(0, pulled.resources)
        except MainstemError as exc:
            refresh.store.record_pulled(
                load_id, name, {"unit": name, "complete": False, "error": exc.cause, "fix": exc.fix}
            )
            log.warning("pull failed", site=load.site, load=load_id, unit=name, cause=exc.cause, fix=exc.fix)
            failed = failed or exc
    if failed is not None:
        raise failed
    return resources


def _pull_unit(refresh: Refresh, load: Load, name: str) -> Pulled:
    site = refresh.site.model_copy(update={"types": load.plan["types"]})
    types = site.types if name == EXPORT else [name]
    since = _since(load, types)
    pulled = pull(
        site,
        name,
        folder=refresh.file.folder,
        landing=refresh.landing(load.id),
        since=since,
        secrets=refresh.secrets,
        clock=refresh.clock,
        progress=lambda unit, count: refresh.progress("pull", unit, count),
    )
    refresh.store.record_pulled(load.id, name, pulled.as_json())
    if not pulled.complete:
        raise IncompleteError(pulled.error, "Deliver or export it again; the watermark stays.")
    if since is None and (silent := _fallen_silent(refresh, load.site, pulled, types)):
        raise IncompleteError(
            f"{', '.join(silent)}: the EHR answered with no resource, but had some before",
            "Ask the EHR vendor whether the client's permissions changed; the watermark stays.",
        )
    return pulled


def _fallen_silent(refresh: Refresh, site: str, pulled: Pulled, types: Sequence[str]) -> list[str]:
    """Types read in full that gave nothing though they had data before: an error, not success."""
    if not pulled.delivered:
        return []
    watermarks = refresh.store.watermarks(site)
    return [name for name in types if name in watermarks and not pulled.types.get(name)]


def _since(load: Load, types: Sequence[str]) -> datetime | None:
    """The earliest watermark of the types; none where one of them has none, so that it is read from the beginning."""
    since = [load.plan["since"].get(name) for name in types]
    return None if None in since or not since else min(datetime.fromisoformat(value) for value in since)


# -- map -------------------------------------------------------------------------------------------------------------


def map_types(
    refresh: Refresh, load_id: str, types: Sequence[str], *, beside: PublisherBeside | None = None
) -> TypeCounts:
    """Maps the landed resources of some types and saves what changed. Returns the figures added up."""
    mapper = site_mapper(refresh.file, refresh.secrets)
    return add_up([_map_type(refresh, load_id, name, mapper, beside) for name in types])


def _map_type(refresh: Refresh, load_id: str, name: str, mapper: Mapper, beside: PublisherBeside | None) -> TypeCounts:
    share = refresh.site.validate_sample
    every = max(1, round(1 / share)) if share else 0
    judged: list[bytes] = []
    with _TypeLoad(refresh, load_id, name, mapper, beside) as part:
        for path in landed(refresh.landing(load_id), name):
            for number, lines in read_batches(path, cap=refresh.site.limits.line_bytes, blocks=BLOCKS):
                if isinstance(lines, Problem):
                    part.skip(lines, path, number)
                    continue
                part.take(lines, path, number)
                if every == 1:
                    _judge(mapper, lines, part.counts)
                elif every and len(judged) < JUDGED_AT_MOST:
                    judged += lines[-number % every :: every]
        part.finish()
        _judge(mapper, judged[:JUDGED_AT_MOST], part.counts)
    counts = part.counts
    refresh.store.record_counts(load_id, name, counts)
    log.info("mapped", site=refresh.site.site, load=load_id, type=name, **_brief(counts))
    return counts


def _judge(mapper: Mapper, lines: list[bytes], counts: TypeCounts) -> None:
    """Checks a sample in full against FHIR R4, off the hot path."""
    counts.sampled += len(lines)
    counts.nonconformant += sum(bool(mapper.explain(line)) for line in lines)


def _brief(counts: TypeCounts) -> dict[str, int]:
    return {
        "read": counts.read,
        "mapped": counts.mapped,
        "skipped": sum(counts.skipped.values()),
        "records": counts.records,
    }


class _TypeLoad(AbstractContextManager["_TypeLoad"]):
    """One type's share of a load: maps its lines and collects batches for the store, unusable lines for the quarantine.

    A batch is saved before the next is mapped: a thread that saves meanwhile fights for the interpreter's lock and is slower.
    """

    def __init__(
        self, refresh: Refresh, load_id: str, name: str, mapper: Mapper, beside: PublisherBeside | None
    ) -> None:
        self.counts = TypeCounts()
        self._read = self._recognised = 0
        self._mapper = mapper
        self._refresh, self._load, self._name, self._beside = refresh, load_id, name, beside
        self._asked: tuple[Question, Path, int] | None = None
        self._records: list[Mapped] = []
        self._withdrawn: list[tuple[bytes, int | None]] = []
        self._skipped: Counter[str] = Counter()
        self._quarantined: list[tuple[str, bytes, str, str, str, int]] = []
        self._file: IO[bytes] | None = None
        self._closing = ExitStack()
        recogniser = Recogniser(refresh.store, refresh.site.site, name, mapper)
        self._recogniser = self._closing.enter_context(recogniser)

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def take(self, lines: Sequence[bytes], path: Path, number: int) -> None:
        """Some lines, of which the first is line `number` of a file; they are mapped when the next ones are taken."""
        before, self._asked = self._asked, (self._recogniser.ask(lines), path, number)
        if before is not None:
            self._map(*before)

    def _map(self, question: Question, path: Path, number: int) -> None:
        """A resource that is no fact, or no longer, withdraws what it gave before; unknown ones cost nothing."""
        lines, digests = question.lines, question.digests
        places = self._recogniser.unknown(question)
        self._read += len(lines)
        self._recognised += len(lines) - len(places)
        outcomes = self._mapper.map_lines([lines[place] for place in places])
        outcomes.sign([digests[place] for place in places])
        records = outcomes.records
        self._records += records
        self._recogniser.mapped(record.id for record in records)
        for index, outcome in sorted(outcomes.unusual.items()):
            problem, place = outcome.problem, places[index]
            if outcome.withdrawn or (problem is not None and problem.reason is Reason.NOT_A_FACT):
                self._withdrawn.append((outcome.ref, outcome.updated))
                self._recogniser.mapped([outcome.ref + WHOLE])
            if problem is not None:
                self._quarantine(problem, path, number + place, outcome.ref, lines[place])
        self._refresh.progress("map", self._name, self._read - self._skipped.total())
        if max(len(self._records), len(self._withdrawn), len(self._quarantined)) >= BATCH:
            self._flush()

    def finish(self) -> None:
        """Maps and saves what is left."""
        if self._asked is not None:
            self._map(*self._asked)
            self._asked = None
        self._flush()

    def skip(self, problem: Problem, path: Path, number: int) -> None:
        """A line that could not even be read."""
        self._read += 1
        self._quarantine(problem, path, number, b"", b"")

    def _quarantine(self, problem: Problem, path: Path, number: int, ref: bytes, line: bytes) -> None:
        """One resource that gave no record: counted and, unless that is expected, kept in quarantine."""
        self._skipped[problem.reason] += 1
        if problem.reason.expected:
            return
        if self._file is None:
            self._file = self._closing.enter_context(self._open_quarantine())
        self._file.write(line + b"\n")
        self._quarantined.append((self._name, ref, problem.reason.value, problem.path, path.name, number))

    def _flush(self) -> None:
        """Saves what was collected: the records in one transaction, then the quarantine."""
        store, site, counts = self._refresh.store, self._refresh.site.site, self.counts
        counts.read, counts.skipped = self._read, dict(self._skipped)
        counts.mapped = self._read - self._skipped.total()
        counts.records += len(self._records) + self._recognised
        counts.unchanged += self._recognised
        self._recognised = 0
        if self._records or self._withdrawn:
            saved = store.save(site, self._load, self._records, self._withdrawn, at=self._refresh.clock())
            for figure, count in saved._asdict().items():
                setattr(counts, figure, getattr(counts, figure) + count)
            if self._beside is not None:
                self._beside.notice(saved.recorded + saved.amended + saved.withdrawn)
        if self._quarantined:
            store.quarantine(self._load, site, self._quarantined)
        self._records, self._withdrawn, self._quarantined = [], [], []
        self._recogniser.saved()

    def _open_quarantine(self) -> IO[bytes]:
        folder = self._refresh.landing(self._load).folder / "quarantine"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{self._name}.ndjson"
        path.touch(mode=0o600)
        return path.open("wb")


# -- publish ---------------------------------------------------------------------------------------------------------


def publish(refresh: Refresh, load_id: str) -> int:
    """Publishes the site's pending changes until none is left. Returns how many events the broker acknowledged."""
    with refresh.publisher() as publisher:
        published = publisher.publish()
    return _note_published(refresh, load_id, published)


def _note_published(refresh: Refresh, load_id: str, published: Published) -> int:
    refresh.store.add_published(load_id, published.events)
    log.info("published", site=refresh.site.site, load=load_id, events=published.events)
    return published.events


# -- complete --------------------------------------------------------------------------------------------------------


def complete(refresh: Refresh, load_id: str) -> Report:
    """Proves the counts, moves the watermarks of the types that are whole, opens a gap for each that is not.

    A type is whole when its unit was pulled whole and its landed resources are all accounted for. Raises the load's
    first error when no type is whole.
    """
    store, load = refresh.store, refresh.store.load(load_id)
    if load.status == "completed":
        return _report_of(load)
    counts, pulled = store.counts(load_id), store.pulled(load_id)
    watermarks: dict[str, datetime] = {}
    gaps: list[Gap] = []
    for name in load.plan["types"]:
        unit = pulled.get(name) or pulled.get(EXPORT) or {}
        if not unit.get("complete"):
            gaps.append(_gap(load, name, unit.get("error") or "not pulled", refresh.clock()))
        elif name not in counts:
            gaps.append(_gap(load, name, "not mapped", refresh.clock()))
        elif not unit.get("delivered", True):
            continue
        elif not counts[name].adds_up():
            raise OperatorError(
                f"{name}: the counts of load {load_id} do not add up", "This is a defect; please report it."
            )
        else:
            watermarks[name] = _watermark(unit, refresh.clock())
    if gaps and not watermarks:
        _fail(refresh, load, gaps)
    status: Literal["completed", "partial"] = "partial" if gaps else "completed"
    ended = refresh.clock()
    report = Report(load_id, load.site, load.mode, status, counts, watermarks, gaps, load.published)
    event = _load_event(load, LoadEventType.COMPLETED, ended, report)
    store.prove(load_id, watermarks, ended)  # before the network is told
    _send(refresh, event)
    store.complete(load_id, watermarks=watermarks, gaps=gaps, ended=ended, report=report.as_json())
    _tidy_landing(refresh)
    log.info("load completed", site=load.site, load=load_id, status=status, published=load.published)
    return report


def _watermark(unit: dict[str, Any], now: datetime) -> datetime:
    """The server's time of the pull or the newest update seen, whichever is earlier, and never the future."""
    seen = [datetime.fromisoformat(unit[key]) for key in ("as_of", "newest") if unit.get(key)]
    return min([*seen, now])


def _gap(load: Load, name: str, reason: str, now: datetime) -> Gap:
    since = load.plan["since"].get(name)
    return Gap(resource_type=name, since=since, until=now, reason=reason)


def _load_event(
    load: Load, event: LoadEventType, ended: datetime | None, report: Report | None = None, error: str | None = None
) -> LoadEvent:
    return LoadEvent(
        load=load.id,
        site=load.site,
        event=event,
        mode=load.mode,
        started=load.started,
        ended=ended,
        types=report.types if report else {},
        watermarks=report.watermarks if report else {},
        gaps=report.gaps if report else [],
        published=load.published,
        error=error,
    )


def _fail(refresh: Refresh, load: Load, gaps: list[Gap]) -> None:
    """Ends a load of which nothing could be read, tells the network, and raises."""
    ended = refresh.clock()
    causes = list(dict.fromkeys(gap.reason for gap in gaps))
    report = Report(load.id, load.site, load.mode, "failed", refresh.store.counts(load.id), {}, gaps, load.published)
    refresh.store.complete(load.id, watermarks={}, gaps=gaps, ended=ended, report=report.as_json(), status="failed")
    announce(refresh, _load_event(load, LoadEventType.FAILED, ended, report, error=causes[0]))
    raise OperatorError(
        f"{load.site}: nothing could be read: {'; '.join(causes[:3])}", "See `mainstem status`; then run it again."
    )


def announce(refresh: Refresh, event: LoadEvent) -> None:
    """Tells the network about a load where the broker can be reached; a load does not depend on it."""
    try:
        _send(refresh, event)
    except MainstemError as exc:
        log.warning("load event not sent", site=event.site, load=event.load, event_type=event.event, cause=exc.cause)


def _send(refresh: Refresh, event: LoadEvent) -> None:
    with refresh.publisher() as publisher:
        publisher.send_load_event(event)


def _report_of(load: Load) -> Report:
    stored = load.report or {}
    return Report(
        load.id,
        load.site,
        load.mode,
        stored["status"],
        {name: TypeCounts(**counts) for name, counts in stored["types"].items()},
        {name: datetime.fromisoformat(value) for name, value in stored["watermarks"].items()},
        [Gap(**gap) for gap in stored["gaps"]],
        stored["published"],
    )


def verdict(refresh: Refresh, load_id: str) -> tuple[str, bool]:
    """One line on how a load ended and whether it is whole: what was read, how far the watermark got, what to do."""
    load = refresh.store.load(load_id)
    if load.status != "completed":
        return f"{load.site}: load {load_id} is {load.status}; the watermarks did not move; a retry is safe", False
    report = _report_of(load)
    total = report.total
    upto = min(report.watermarks.values(), default=None)
    line = (
        f"{load.site}: load {load_id} {report.status}: read {total.read}, mapped {total.mapped}, "
        f"skipped {sum(total.skipped.values())}, published {report.published}; "
        f"complete up to {upto.isoformat() if upto else 'nothing'}"
    )
    for gap in report.gaps:
        line += f"; {gap.resource_type} is missing: {gap.reason}"
    return line + "; a retry is safe", report.status == "completed"


def _tidy_landing(refresh: Refresh) -> None:
    """Removes what older loads landed, but for quarantined lines that no later load has replaced."""
    folders = sorted(path for path in refresh.site_landing.iterdir() if path.is_dir())
    for folder in folders[: -refresh.settings.keep_loads]:
        kept = any(refresh.store.quarantined(refresh.site.site, _load_in(refresh, folder)))
        for path in list(folder.iterdir()):
            if not path.is_dir():
                path.unlink()
            elif not kept:
                shutil.rmtree(path)
        if not kept:
            folder.rmdir()


def _load_in(refresh: Refresh, folder: Path) -> str:
    """The load whose landing folder this is: `2026-03-02T050000Z` is `north/2026-03-02T05:00:00Z`."""
    hour, minute, rest = folder.name[:13], folder.name[13:15], folder.name[15:]
    return f"{refresh.site.site}/{hour}:{minute}:{rest}"


# -- all five --------------------------------------------------------------------------------------------------------


def run(refresh: Refresh, *, mode: Mode = "incremental", types: Sequence[str] = (), fresh: bool = False) -> Report:
    """The five steps, one after the other; a large first load is published beside the mapping.

    A type that cannot be read leaves a gap and the others go on. Raises MainstemError when nothing useful was done.
    """
    began = time.perf_counter()
    shares: dict[str, float] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            shares[step] = time.perf_counter() - start

    with refresh.store.refreshing(refresh.site.site):
        with timed("plan"):
            chosen = plan(refresh, mode=mode, types=types, fresh=fresh)
        with timed("pull"):
            failed = _pull_all(refresh, chosen)
        if failed is not None and not refresh.store.any_pulled(chosen.load):
            _end_unread(refresh, chosen.load, failed)
        with PublisherBeside(refresh.site.site, refresh.settings, start_after=PUBLISH_BESIDE_FROM) as beside:
            with timed("map"):
                map_types(refresh, chosen.load, chosen.types, beside=beside)
            with timed("publish"):
                published = beside.finish()
                if published is not None:
                    _note_published(refresh, chosen.load, published)
                publish(refresh, chosen.load)
        with timed("complete"):
            report = complete(refresh, chosen.load)
    report.resumed, report.seconds, report.shares = chosen.resumed, time.perf_counter() - began, shares
    return report


def _pull_all(refresh: Refresh, chosen: Plan) -> MainstemError | None:
    try:
        pull_units(refresh, chosen.load, chosen.units)
    except MainstemError as exc:
        return exc
    return None


def _end_unread(refresh: Refresh, load_id: str, failed: MainstemError) -> None:
    """Nothing came: end the load as failed and raise the cause itself, which knows best what to do."""
    try:
        complete(refresh, load_id)
    except OperatorError:
        raise failed from None
