"""`mainstem map`: FHIR NDJSON in, outcome records as JSON lines out; no broker, no database."""

import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from secrets import token_bytes
from typing import IO, TYPE_CHECKING

from connectors.delivery import look_into, shown
from connectors.formats.bundles import held_in
from connectors.formats.ndjson import read_batches
from mainstem.commands.map.referred import Aside, Patients, set_aside
from mainstem.config.site_files import Secrets, SiteFile, file_secrets, read_site, warn_of_one_key
from mainstem.config.site_mapper import KEY_BYTES, site_mapper
from schemas.errors import OperatorError
from schemas.problems import Problem, Reason
from schemas.sites import Files, Site
from transforms import Mapper
from transforms.mapped import Mapped

if TYPE_CHECKING:
    from mainstem.commands.map.derived import Kept
    from mainstem.commands.map.tiers import AtTier

Lines = Callable[[Iterable[Mapped]], Iterable[bytes]]
"""Records → what is written of them, a line each, in pieces."""
ANY_SITE = Site(
    site="trial", name="Trial", time_zone="UTC", subject_key="env:NONE", files=Files(folder="."), road="files"
)
"""Where no site file is given: enough to see what a mapping makes of files."""


@dataclass
class Trial:
    """What became of the lines read: read = mapped + withdrawn + skipped by reason."""

    read: int = 0
    records: int = 0
    derived: int = 0
    """Values of several records."""
    withdrawn: int = 0
    """Lines that say they were entered in error or deleted."""
    skipped: Counter[str] = field(default_factory=Counter)
    not_read: list[str] = field(default_factory=list)
    """Files of a folder whose names end otherwise than those that are read."""
    other_types: Counter[str] = field(default_factory=Counter)
    """Types that are not mapped."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Fields left out because they could not be used, by FHIR path."""
    parts_skipped: dict[str, int] = field(default_factory=dict)
    flags: dict[str, int] = field(default_factory=dict)
    unmapped: dict[str, int] = field(default_factory=dict)
    """Codes that have no meaning in the system that is wanted, as a code map's first three columns."""
    leaving: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    """Where a tier was asked for: of which record types how many leave, and how many do not."""

    @property
    def mapped(self) -> int:
        """Lines that gave records, or are kept for others to look up."""
        return self.read - self.withdrawn - self.skipped.total()


def map_paths(
    paths: Iterable[Path],
    site_path: Path | None,
    *,
    out: IO[bytes],
    problems: Path | None = None,
    explain: bool = False,
    derive: bool = False,
    tier: int | None = None,
    progress: Callable[[str, str, int], None] = lambda _step, _unit, _count: None,
) -> Trial:
    """Maps files and folders to `{"record":…,"provenance":…}` lines on `out`, problems to a JSON-lines file; with `derive`
    the values that several of these records give come last; with `tier` each record is shown as it would leave at that tier.

    Without a site file, ids come from a throwaway key and times without a zone are read as UTC. With `explain`, each problem lists all that FHIR R4's own rules find wrong with the resource.
    """
    file = read_site(site_path) if site_path else SiteFile(ANY_SITE, Path())
    secrets = file_secrets(file.folder) if site_path else _throwaway_keys()
    if site_path:
        warn_of_one_key(file)
    trial, cap = Trial(), file.site.limits.line_bytes
    found = [path for given in paths for path in _files(given, trial)]
    with ExitStack() as stack:
        narrow = partial(_mapper_of, file, secrets)
        referred = partial(set_aside, paths=found, mapper_of=narrow, cap=cap)
        aside = stack.enter_context(closing(Aside(referred)))
        bears = Patients(found, narrow, cap=cap)
        mapper = site_mapper(file, secrets, look_up=aside.look_up, lent=aside.lent, bears=bears)
        at_tier = _at_tier(tier, found, file, secrets) if tier is not None else None
        lines = partial(_whole, file.site.site) if at_tier is None else at_tier.lines
        report = stack.enter_context(_private(problems)) if problems else None
        kept = stack.enter_context(closing(_kept(file.site, secrets))) if derive else None
        for path in found:
            _map_file(path, mapper, lines, cap, trial, out, report, explain, kept)
            progress("map", path.name, trial.read)
        if kept is not None:
            trial.derived = _write(kept.derived(progress), lines, out)
        if at_tier is not None:
            trial.leaving, trial.held = at_tier.leaving, at_tier.held
        trial.dropped, _, trial.parts_skipped = mapper.noticed.take()
        trial.flags, trial.unmapped = mapper.take_flags(), mapper.take_unmapped()
    return trial


def _mapper_of(file: SiteFile, secrets: Secrets, types: Collection[str]) -> Mapper:
    return site_mapper(file, secrets, types=types)


def _at_tier(tier: int, paths: Sequence[Path], file: SiteFile, secrets: Secrets) -> "AtTier":
    from mainstem.commands.map.tiers import PATIENT, AtTier, Births

    births = Births(paths, site_mapper(file, secrets, types=(PATIENT,)), cap=file.site.limits.line_bytes)
    return AtTier(tier, births)


def _kept(site: Site, secrets: Secrets) -> "Kept":
    from mainstem.commands.map.derived import Kept

    return Kept(site.site, secrets(site.subject_key))


def _write(records: Iterable[Mapped], lines: Lines, out: IO[bytes]) -> int:
    """Each as a line; how many there were."""
    written = 0
    for record in records:
        out.writelines(lines([record]))
        written += 1
    out.flush()
    return written


def _whole(site: str, records: Iterable[Mapped]) -> Iterable[bytes]:
    """Records with their provenance."""
    opening, middle, closing = b'{"record":', b',"provenance":{"site":"%b",' % site.encode(), b"}}\n"
    pieces = ((opening, record.content, middle, record.provenance, closing) for record in records)
    return chain.from_iterable(pieces)


def _private(path: Path) -> IO[str]:
    """A file for its owner alone: what FHIR's rules find wrong names places in patients' data."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8")


def _throwaway_keys() -> Secrets:
    """Other pseudonyms at each start, so that nobody comes to rely on them."""
    key = token_bytes(KEY_BYTES)
    return lambda _reference: key


def _files(path: Path, trial: Trial) -> list[Path]:
    """A file itself, be it a link; of a folder, its plain files. Those that are passed over by their names are told."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise OperatorError(f"no such file or folder: {path}", "Correct the path; check that the share is mounted.")
    delivery = look_into(path)
    if delivery.refused:
        raise OperatorError(
            f"{path}: {len(delivery.refused)} links, pipes or folders that may not be opened, the first is "
            f"{shown(delivery.refused[0], path)}",
            "Take them away, or name the files one by one.",
        )
    trial.not_read += [shown(each, path) for each in delivery.others]
    if not (found := delivery.files):
        raise OperatorError(
            f"{path}: no NDJSON file there",
            "Give .ndjson or .jsonl files, packed by gzip or not, or folders that hold some.",
        )
    return found


def _map_file(
    path: Path,
    mapper: Mapper,
    written: Lines,
    cap: int,
    trial: Trial,
    out: IO[bytes],
    report: IO[str] | None,
    explain: bool,
    kept: "Kept | None",
) -> None:
    def skip(problem: Problem, number: int, line: bytes = b"") -> None:
        trial.skipped[problem.reason] += 1
        if problem.reason is Reason.TYPE_NOT_MAPPED:
            trial.other_types[problem.resource_type] += 1
        if report is not None:
            findings = mapper.explain(line) if explain and line else []
            report.write(json.dumps(_row(problem, path, number, findings)) + "\n")

    def take(lines: list[bytes], number: int) -> None:
        outcomes = mapper.map_lines(lines)
        records = outcomes.records
        out.write(b"".join(written(records)))
        if kept is not None:
            kept.take(outcomes)
        trial.read += len(lines)
        trial.records += len(records)
        for place, outcome in sorted(outcomes.unusual.items()):
            trial.withdrawn += outcome.withdrawn
            if outcome.problem is None:
                continue
            line = lines[place]
            if outcome.problem.reason is Reason.BUNDLE and (held := held_in(line)) != [line]:
                trial.read -= 1  # what it holds counts in its place
                take(held, number + place)
            else:
                skip(outcome.problem, number + place, line)

    for number, lines in read_batches(path, cap=cap):
        if isinstance(lines, Problem):
            trial.read += 1
            skip(lines, number)
        else:
            take(lines, number)
    out.flush()


def _row(problem: Problem, path: Path, number: int, findings: list[str]) -> dict[str, object]:
    return {
        "reason": problem.reason,
        "type": problem.resource_type,
        "path": problem.path,
        "file": path.name,
        "line": number,
        "meaning": problem.reason.meaning,
        "fix": problem.reason.fix,
        **({"findings": findings} if findings else {}),
    }
