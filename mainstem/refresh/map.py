"""The step map: landed lines into the state, by the batch."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import chain
from pathlib import Path
from typing import NamedTuple, Protocol

import structlog

from connectors.formats.ndjson import read_batches
from connectors.landing import Kept
from mainstem.refresh.absent import beforehand, unjudged, withdraw_absent
from mainstem.refresh.alone import Alone, is_older
from mainstem.refresh.cohort import roster_of
from mainstem.refresh.consents import CONSENT, open_lines
from mainstem.refresh.derive import mapper_of
from mainstem.refresh.door import holding
from mainstem.refresh.judging import Judge
from mainstem.refresh.merged import PATIENT, follow_merges
from mainstem.refresh.opening import Refresh
from mainstem.refresh.recognition import Question, Recogniser
from mainstem.state import Batch, Place, Quarantined, Slice
from schemas.loads import TypeCounts, add_up
from schemas.outcomes import families
from schemas.problems import NOT_LOADED, Problem, Reason
from transforms import Mapped, Mapper
from transforms.mapped import REF_BYTES, WHOLE, Alike, Depends, Lent, Outcome, Outcomes, Referred

log = structlog.get_logger()


BATCH = 8_000
"""Records a transaction: larger ones gain little, and a batch is what memory is spent on."""
BLOCKS = 24
"""Blocks of a landing file taken at once: a question to the database costs much the same for few lines as for many.

What two of them give fills a batch; were they larger, half as much again would be held before it is saved."""
Lines = tuple[int, list[bytes] | Problem]
"""(number of the first line in its file, lines or why one could not be read)."""
SPLIT_FROM = 16 << 20
"""Bytes a type's landing files have at least for its lines to be split, some 150,000 lines: a process costs a second to start."""
KEPT = "kept"
"""Where the quarantined lines of a part end, in the place from which it goes on."""


class Notices(Protocol):
    """Is told of changes that wait to be published."""

    def notice(self, changes: int, /) -> None:
        """So many more."""


class Helpers(Protocol):
    """Processes that map slices of a type for this one."""

    size: int
    """How many there may be."""

    def map(self, slices: Sequence[Slice]) -> None:
        """Maps them; they are whole afterwards."""


def map_types(
    refresh: Refresh,
    load_id: str,
    types: Sequence[str],
    *,
    beside: Notices | None = None,
    helpers: Helpers | None = None,
) -> TypeCounts:
    """Maps the landed resources of some types and saves what changed. Returns the figures added up."""
    mapper, figures = mapper_of(refresh, load_id), []
    nothing, begun = _nothing_came(refresh, load_id, types), refresh.store.slices.of(load_id)
    refresh.store.loads.nothing_came(load_id, nothing)
    for name in chain.from_iterable(families(name for name in types if name not in nothing)):
        with holding(refresh, load_id, "map", name) as load:
            if name == PATIENT:
                follow_merges(refresh, load, _own(refresh, load_id, name))
            if slices := begun.get(name) or (split(refresh, load_id, name, helpers.size) if helpers else []):
                _map_slices(refresh, load_id, slices, mapper, beside, helpers)
            else:
                _map_lines(refresh, load_id, name, mapper, beside, None)
            withdraw_absent(refresh, load, name, mapper)
            figures.append(_mapped(refresh, load_id, name))
    return add_up(figures)


def split(refresh: Refresh, load_id: str, name: str, wanted: int) -> list[Slice]:
    """The slices of a type's lines: as many as wanted where there is enough to be mapped, but for what was begun otherwise."""
    enough = not refresh.store.database.is_sqlite and refresh.landing(load_id).size(name) >= SPLIT_FROM
    return refresh.store.slices.split(load_id, name, wanted) if enough and wanted > 1 else []


def _map_slices(
    refresh: Refresh,
    load_id: str,
    slices: Sequence[Slice],
    mapper: Mapper,
    beside: Notices | None,
    helpers: Helpers | None,
) -> None:
    if helpers is not None:
        helpers.map(slices)
    else:
        for each in slices:
            map_slice(refresh, load_id, each, mapper, beside)
    refresh.store.loads.nothing_came(load_id, [slices[0].name])  # nothing of it is left beside its slices


def map_slice(refresh: Refresh, load_id: str, each: Slice, mapper: Mapper, beside: Notices | None = None) -> None:
    """Maps one slice of a type, or what of it is left."""
    with holding(refresh, load_id, "map", each.part):
        _map_lines(refresh, load_id, each.name, mapper, beside, each)


def _mapped(refresh: Refresh, load_id: str, name: str) -> TypeCounts:
    counts = refresh.store.loads.figures(load_id, name)[name]
    log.info("mapped", site=refresh.site.site, load=load_id, type=name, **_brief(counts))
    return counts


def _nothing_came(refresh: Refresh, load_id: str, types: Sequence[str]) -> list[str]:
    """Types of which nothing was landed and whose absence proves nothing: there is nothing to do for them."""
    if roster_of(refresh, load_id) is not None:
        return []
    pulled, landed = refresh.store.loads.pulled(load_id), set(refresh.landing(load_id).types())
    absent, said = [name for name in types if name not in landed and name != PATIENT], beforehand(refresh)
    return [name for name in absent if (unit := pulled.get(name)) is None or unjudged(refresh, name, unit, said)]


def _own(refresh: Refresh, load_id: str, name: str) -> Callable[[bytes], bool] | None:
    """Whether a line is of the cohort; None where everybody's is read, or only the cohort's came."""
    roster = roster_of(refresh, load_id)
    return roster.belongs(name) if roster and not roster.by_export else None


def _map_lines(
    refresh: Refresh, load_id: str, name: str, mapper: Mapper, beside: Notices | None, some: Slice | None
) -> None:
    """The lines of a type, or those of one of its slices."""
    share, of = _share(refresh, load_id, name, some), some.of if some else 1
    with TypeLoad(refresh, load_id, name, mapper, beside, share) as part:
        for path in refresh.landing(load_id).files(name):
            batches = read_batches(path, cap=refresh.site.limits.line_bytes, blocks=BLOCKS * of)
            for number, lines in part.left(path, batches):
                if not isinstance(lines, Problem):
                    _take(part, lines, path, number, name, mapper, some)
                elif some is None or some.number == 1:
                    part.skip(lines, path, number)
        part.finish()


def _take(
    part: "TypeLoad", lines: list[bytes], path: Path, number: int, name: str, mapper: Mapper, some: Slice | None
) -> None:
    if some is None:
        part.take(lines, path, range(number, number + len(lines)))
        return
    numbers = mapper.slices_of(name, lines, some.of)
    places = [place for place, each in enumerate(numbers, number) if each == some.number]
    if places:
        part.take([lines[place - number] for place in places], path, places)


def _share(refresh: Refresh, load_id: str, name: str, some: Slice | None) -> "Share":
    own, among = _own(refresh, load_id, name), some.of if some else 1
    roster = roster_of(refresh, load_id) if own is not None else None
    landed = sum(unit.types.get(name, 0) for unit in refresh.store.loads.pulled(load_id).values())
    return Share(
        part=some.part if some else name,
        kept_as=f"{name}.{some.number}-of-{some.of}" if some else name,
        own=own,
        open=open_lines(refresh, name),
        narrowed=roster.narrowed(name) if roster else None,
        among=among,
        lines=landed // among,
    )


def _brief(counts: TypeCounts) -> dict[str, int]:
    return {
        "read": counts.read,
        "mapped": counts.mapped,
        "skipped": sum(counts.skipped.values()),
        "records": counts.records,
    }


class _Asked(NamedTuple):
    """Some lines of a file that are looked up, to be mapped next."""

    question: Question
    path: Path
    numbers: Sequence[int]
    """Which lines of the file they are."""
    last: int
    """The last of those looked at."""
    others: Counter[Reason]
    """Lines among them of patients who are not in the cohort, or withdrew: they are counted, and neither mapped nor kept."""


class Share(NamedTuple):
    """What of a type is mapped as one part of a load."""

    part: str
    """Its name: the type's, or one that begins with it and `/`."""
    kept_as: str
    """What its file of unusable lines is called."""
    own: Callable[[bytes], bool] | None = None
    """Which lines are of the site's cohort; none: all are."""
    open: Callable[[bytes], bool] | None = None
    """Which lines are of nobody who withdrew; none: all are."""
    narrowed: Callable[[bytes], tuple[bytes, int]] | None = None
    """A line without the patients who are not in it, and how many these were."""
    landed: str = ""
    """The folder of an earlier load, with `/`, where the lines were landed by one."""
    outdated_by: Collection[str] = ()
    """Loads after that one: what they withdrew stays withdrawn."""
    among: int = 1
    """How many shares of the type there are: what is kept of one is bounded for all together."""
    lines: int = 0
    """How many lines it has, about; 0: nobody counted."""


class TypeLoad(AbstractContextManager["TypeLoad"]):
    """One type's share of a load: maps its lines and collects batches for the store, unusable lines for the quarantine.

    A batch is saved before the next is mapped: a thread that saves meanwhile fights for the interpreter's lock and is slower.
    """

    def __init__(
        self,
        refresh: Refresh,
        load_id: str,
        name: str,
        mapper: Mapper,
        beside: Notices | None,
        share: Share,
    ) -> None:
        self._share, self._narrowed = share, share.narrowed
        self._left_out = [(share.own, Reason.NOT_IN_COHORT), (share.open, Reason.CONSENT_WITHDRAWN)]
        self._read = self._recognised = self._known = self._done = self._looked = 0
        if name == CONSENT:
            refresh.store.consents.prepare()
        self._begun = refresh.store.loads.begin_part(load_id, share.part, mapper.identity(name).hex())
        self._place = self._begun
        self._judge = Judge(refresh.site.validate_sample, mapper, of=f"{load_id} {share.part}", among=share.among)
        self._mapper = mapper
        self._refresh, self._load, self._name, self._beside = refresh, load_id, name, beside
        self._asked: _Asked | None = None
        self._records: list[Mapped] = []
        self._alike: list[Alike] = []
        self._withdrawn: dict[bytes, int | None] = {}
        self._unusable: dict[bytes, int | None] = {}
        self._in_part: set[bytes] = set()
        self._alone = Alone()
        self._retracted = 0
        self._referred: list[Referred] = []
        self._depends: list[Depends] = []
        self._lent: list[Lent] = []
        self._skipped: Counter[str] = Counter()
        self._quarantined: list[Quarantined] = []
        self._closing = ExitStack()
        self._kept_upto = _kept_of(self._begun)
        self._unkept = 0
        limits = refresh.site.limits
        kept = refresh.landing(load_id).quarantine(
            share.kept_as,
            at=self._kept_upto,
            most=Kept(limits.quarantine_bytes // share.among, limits.quarantine_lines // share.among),
        )
        self._kept = self._closing.enter_context(kept)
        recogniser = Recogniser(refresh.store, refresh.site.site, name, mapper)
        self._recogniser = self._closing.enter_context(recogniser)

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def left(self, path: Path, batches: Iterator[Lines]) -> Iterator[Lines]:
        """What of a file is not done: after a crash the part goes on where it was saved last."""
        begun = self._begun
        if begun is None or path.name > begun.file:
            yield from batches
        elif path.name == begun.file:
            for number, lines in batches:
                done = max(0, begun.line + 1 - number)
                if not done:
                    yield number, lines
                elif not isinstance(lines, Problem) and done < len(lines):
                    yield number + done, lines[done:]

    def take(self, lines: list[bytes], path: Path, numbers: Sequence[int]) -> None:
        """Some lines, with their numbers in a file; they are mapped when the next ones are taken."""
        last, others = numbers[-1], Counter[Reason]()
        for wanted, reason in self._left_out:
            if wanted is not None:
                kept = [place for place, line in enumerate(lines) if wanted(line)]
                others[reason] = len(lines) - len(kept)
                lines, numbers = [lines[place] for place in kept], [numbers[place] for place in kept]
        if self._narrowed is not None:
            lines = [self._without_others(*self._narrowed(line)) for line in lines]
        asked = _Asked(self._recogniser.ask(lines), path, numbers, last, others)
        self._map_asked()
        self._asked = asked

    def _without_others(self, line: bytes, others: int) -> bytes:
        """A line without members who are not in the cohort: they are counted as parts that gave no record."""
        self._mapper.noticed.parts[self._name, ""] += others
        self._mapper.noticed.parts[self._name, Reason.NOT_IN_COHORT.value] += others
        return line

    def _map_asked(self) -> None:
        if self._asked is not None:
            self._map(self._asked)
            self._asked = None  # lines that are mapped need not be held while what they gave is saved
            self._flush_if_full()

    def _map(self, asked: "_Asked") -> None:
        """A resource that is no fact, or no longer, withdraws what it gave before; unknown ones cost nothing."""
        question, path, numbers = asked.question, asked.path, asked.numbers
        lines, digests = question.lines, question.digests
        places = self._recogniser.unknown(question)
        self._read += len(lines) + asked.others.total()
        self._skipped.update(asked.others)
        known = sorted(set(range(len(lines))).difference(places))
        self._known += len(known)
        self._recognised += self._mapper.record_count(self._name, [lines[place] for place in known])
        outcomes = self._mapper.map_lines([lines[place] for place in places])
        outcomes.sign([digests[place] for place in places])
        self._alone.settle(outcomes, self._records, self._alike)
        records, alike = outcomes.listed, outcomes.alike
        self._records += records
        self._alike += alike
        self._referred += outcomes.referred
        self._depends += outcomes.depends
        self._lent += outcomes.lent
        self._recogniser.mapped(record.id for record in records)
        if self._unusable or self._withdrawn:
            self._believe(chain(records, (each[0] for each in alike)))
        came = _Came(outcomes)
        for index, outcome in sorted(outcomes.unusual.items()):
            problem, place = outcome.problem, places[index]
            if outcome.in_part:
                self._in_part.add(outcome.ref)
            if outcome.withdrawn or (problem is not None and problem.reason is Reason.NOT_A_FACT):
                self._retracted += outcome.withdrawn
                if not came.later(outcome, index, _is_as_old):
                    self._withdraw(outcome)
                self._recogniser.mapped([outcome.ref + WHOLE])
            elif problem is not None and outcome.ref and problem.reason not in NOT_LOADED:
                if not came.later(outcome, index, is_older):
                    self._unusable[outcome.ref] = outcome.updated
                self._recogniser.mapped([outcome.ref + WHOLE])
            if problem is not None:
                self._quarantine(problem, path, numbers[place], outcome.ref, lines[place])
        self._looked += len(lines) + asked.others.total()
        self._judge.see([lines[place] for place in places], self._looked / (self._share.lines or self._looked))
        self._done += len(lines)
        self._place = Place(path.name, asked.last)
        self._refresh.progress("map", self._name, self._done)

    def _believe(self, records: Iterable[Mapped]) -> None:
        """What came usable behind a line that was unusable, or by which it was gone, is as it is now."""
        for record in records:
            ref = record.id[:REF_BYTES]
            if ref in self._unusable and not is_older(record.updated, self._unusable[ref]):
                del self._unusable[ref]
            if ref in self._withdrawn and not _is_as_old(record.updated, self._withdrawn[ref]):
                del self._withdrawn[ref]

    def _withdraw(self, outcome: Outcome) -> None:
        """What the resource gave is gone, as of the latest time that is said."""
        said = [when for when in (outcome.updated, self._withdrawn.get(outcome.ref)) if when is not None]
        self._withdrawn[outcome.ref] = max(said, default=None)

    def _flush_if_full(self) -> None:
        if (
            max(
                len(self._records) + sum(map(len, self._alike)),
                len(self._withdrawn),
                len(self._unusable),
                len(self._quarantined),
                len(self._referred),
                len(self._lent),
            )
            >= BATCH
        ):
            self._flush()

    def finish(self) -> None:
        """Maps and saves what is left; the type is then mapped whole."""
        self._map_asked()
        self._flush(whole=True)

    def skip(self, problem: Problem, path: Path, number: int) -> None:
        """A line that could not even be read. Those before it are mapped first: what is done is a place in the file."""
        self._map_asked()
        self._place = Place(path.name, number)
        self._read += 1
        self._quarantine(problem, path, number, b"", b"")

    def _quarantine(self, problem: Problem, path: Path, number: int, ref: bytes, line: bytes) -> None:
        """One resource that gave no record: counted and, unless that is expected, kept in quarantine while there is room."""
        self._skipped[problem.reason] += 1
        if problem.reason.expected:
            return
        self._judge.see_refused(line)
        if not self._kept.add(line):
            self._unkept += 1
            return
        self._quarantined.append(
            Quarantined(self._name, ref, problem.reason.value, problem.path, self._share.landed + path.name, number)
        )

    def _flush(self, *, whole: bool = False) -> None:
        """Saves what was collected, with what was read for it and how far the part has got, in one transaction."""
        figures = TypeCounts(read=self._read, skipped=dict(self._skipped), unchanged=self._recognised)
        figures.mapped, figures.retracted = self._read - self._skipped.total(), self._retracted
        figures.dropped, figures.parts, figures.parts_skipped = self._mapper.noticed.take()
        figures.records = len(self._records) + sum(map(len, self._alike)) + self._recognised
        figures.recognised, figures.flags = self._known, self._mapper.take_flags()
        figures.unmapped = self._mapper.take_unmapped()
        self._judge.take(figures)
        figures.unkept = self._unkept
        if self._quarantined:
            self._kept_upto = self._kept.keep()
        place = self._place or Place("", 0)
        batch = Batch(
            self._records,
            list(self._withdrawn.items()),
            alike=self._alike,
            quarantined=self._quarantined,
            referred=self._referred,
            depends=self._depends,
            lent=self._lent,
            figures=figures,
            place=place._replace(whole=whole, extra={KEPT: list(self._kept_upto)}),
            unusable=list(self._unusable.items()),
            in_part=self._in_part,
            alone=self._alone.taken(),
            mapped_again=bool(self._share.landed),
            outdated_by=self._share.outdated_by,
        )
        saved = self._refresh.store.records.save(self._load, self._share.part, batch, self._refresh.clock())
        if self._beside is not None:
            self._beside.notice(saved.recorded + saved.amended + saved.withdrawn)
        self._read = self._recognised = self._known = self._unkept = self._retracted = 0
        self._unusable, self._in_part = {}, set()
        self._records, self._alike, self._withdrawn = [], [], {}
        self._quarantined, self._skipped = [], Counter()
        self._referred, self._depends, self._lent = [], [], []
        self._recogniser.saved()


class _Came:
    """The records of a batch's lines of which some gave none: whether one came usable behind them."""

    def __init__(self, outcomes: Outcomes) -> None:
        gone = {each.ref for each in outcomes.unusual.values() if each.withdrawn or each.problem is not None}
        self._found: dict[bytes, list[tuple[int, int | None]]] = {}
        for place, record in enumerate(outcomes.usual if gone else ()):
            for each in outcomes.unusual[place].records if record is None else (record,):
                if (ref := each.id[:REF_BYTES]) in gone:
                    self._found.setdefault(ref, []).append((place, each.updated))

    def later(self, outcome: Outcome, index: int, is_before: Callable[[int | None, int | None], bool]) -> bool:
        """Whether records of a line's resource stand behind it, and are by their time not before it."""
        found = self._found.get(outcome.ref, ())
        return any(place > index and not is_before(updated, outcome.updated) for place, updated in found)


def _is_as_old(updated: int | None, known: int | None) -> bool:
    """Whether a version is no newer than a withdrawal, which wins over one of the same time; where a time is not said, order tells."""
    return updated is not None and known is not None and updated <= known


def _kept_of(begun: Place | None) -> Kept:
    """How much of a part's quarantine is done; a part begun by an earlier version says its bytes alone."""
    kept = (begun.extra or {}).get(KEPT, 0) if begun else 0
    return Kept(kept, 0) if isinstance(kept, int) else Kept(*kept)
