"""`mainstem map`: FHIR NDJSON in, outcome records as JSON lines out; no broker, no database."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_bytes
from typing import IO

from connectors.formats.ndjson import find_files, read_batches
from mainstem.config.site_files import SiteFile, file_secrets, read_site
from mainstem.config.site_mapper import KEY_BYTES, site_mapper
from schemas.errors import OperatorError
from schemas.problems import Problem
from schemas.sites import Files, Site
from transforms import Mapper

ANY_SITE = Site(
    site="trial", name="Trial", time_zone="UTC", subject_key="env:NONE", files=Files(folder="."), road="files"
)
"""Where no site file is given: enough to see what a mapping makes of files."""


@dataclass
class Trial:
    """What became of the lines read: read = mapped + skipped by reason."""

    read: int = 0
    records: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def mapped(self) -> int:
        """Lines that were not skipped."""
        return self.read - self.skipped.total()


def map_paths(
    paths: Iterable[Path],
    site_path: Path | None,
    *,
    out: IO[bytes],
    problems: Path | None = None,
    explain: bool = False,
    progress: Callable[[str, str, int], None] = lambda _step, _unit, _count: None,
) -> Trial:
    """Maps files and folders to `{"record":…,"provenance":…}` lines on `out`, problems to a JSON-lines file.

    Without a site file, ids come from a throwaway key and times without a zone are read as UTC. With `explain`, each problem lists all that FHIR R4's own rules find wrong with the resource.
    """
    file = read_site(site_path) if site_path else SiteFile(ANY_SITE, Path())
    mapper = site_mapper(file, file_secrets(file.folder) if site_path else _throwaway_key)
    trial = Trial()
    with ExitStack() as stack:
        report = stack.enter_context(problems.open("w", encoding="utf-8")) if problems else None
        for path in [found for given in paths for found in _files(given)]:
            _map_file(path, mapper, file.site.site, file.site.limits.line_bytes, trial, out, report, explain)
            progress("map", path.name, trial.read)
    return trial


def _throwaway_key(_reference: str) -> bytes:
    """Other pseudonyms at each start, so that nobody comes to rely on them."""
    return token_bytes(KEY_BYTES)


def _files(path: Path) -> list[Path]:
    found = list(find_files(path))
    if not found:
        raise OperatorError(
            f"{path}: no NDJSON file there", "Give .ndjson or .ndjson.gz files, or folders that hold some."
        )
    return found


def _map_file(
    path: Path,
    mapper: Mapper,
    site: str,
    cap: int,
    trial: Trial,
    out: IO[bytes],
    report: IO[str] | None,
    explain: bool,
) -> None:
    opening, middle, closing = b'{"record":', b',"provenance":{"site":"%b",' % site.encode(), b"}}\n"
    join = b"".join

    def skip(problem: Problem, number: int, line: bytes = b"") -> None:
        trial.skipped[problem.reason] += 1
        if report is not None:
            findings = mapper.explain(line) if explain and line else []
            report.write(json.dumps(_row(problem, path, number, findings)) + "\n")

    for number, lines in read_batches(path, cap=cap):
        if isinstance(lines, Problem):
            trial.read += 1
            skip(lines, number)
            continue
        outcomes = mapper.map_lines(lines)
        records = outcomes.records
        out.write(join([join((opening, record.content, middle, record.provenance, closing)) for record in records]))
        for place, outcome in sorted(outcomes.unusual.items()):
            if outcome.problem is not None:
                skip(outcome.problem, number + place, lines[place])
        trial.read += len(lines)
        trial.records += len(records)
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
