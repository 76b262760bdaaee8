"""`mainstem map`: FHIR NDJSON in, outcome records as JSON lines out; no broker, no database."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from connectors.ndjson import find_files, read_lines
from mainstem.site_files import file_secrets, read_site
from mainstem.site_mapper import site_mapper
from schemas.problems import OperatorError, Problem
from transforms import Mapper

WRITE_EVERY = 2_000
"""Records gathered before a write: one write a record would cost more than its mapping."""


@dataclass
class Trial:
    """What became of the lines read: read = mapped + skipped by reason."""

    read: int = 0
    mapped: int = 0
    records: int = 0
    skipped: Counter[str] = field(default_factory=Counter)


def map_paths(
    paths: Iterable[Path],
    site_path: Path,
    *,
    out: IO[bytes],
    problems: Path | None = None,
    explain: bool = False,
    progress: Callable[[str, str, int], None] = lambda _step, _unit, _count: None,
) -> Trial:
    """Maps files and folders to `{"record":…,"provenance":…}` lines on `out`, problems to a JSON-lines file.

    With `explain`, each problem lists all that FHIR R4's own rules find wrong with the resource.
    """
    file = read_site(site_path)
    mapper = site_mapper(file, file_secrets(file.folder))
    trial = Trial()
    with ExitStack() as stack:
        report = stack.enter_context(problems.open("w", encoding="utf-8")) if problems else None
        for path in [found for given in paths for found in _files(given)]:
            _map_file(path, mapper, file.site.site, file.site.limits.line_bytes, trial, out, report, explain)
            progress("map", path.name, trial.read)
    return trial


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
    """The hot loop of the trial: nothing in it that a line does not need."""
    opening, middle, closing = b'{"record":', b',"provenance":{"site":"%b",' % site.encode(), b"}}\n"
    map_line, join = mapper.map_line, b"".join
    lines: list[bytes] = []
    number = mapped = 0
    for number, line in enumerate(read_lines(path, cap=cap), start=1):
        problem = line if isinstance(line, Problem) else None
        if problem is None:
            outcome = map_line(line)  # type: ignore[arg-type] # no problem, so it is bytes
            problem = outcome.problem
            if problem is None:
                mapped += 1
                for record in outcome.records:
                    lines.append(join((opening, record.content, middle, record.provenance, closing)))
                if len(lines) >= WRITE_EVERY:
                    _write(lines, trial, out)
                continue
        trial.skipped[problem.reason] += 1
        if report is not None:
            findings = mapper.explain(line) if explain and isinstance(line, bytes) else []
            report.write(json.dumps(_row(problem, path, number, findings)) + "\n")
    trial.read += number
    trial.mapped += mapped
    _write(lines, trial, out)


def _write(lines: list[bytes], trial: Trial, out: IO[bytes]) -> None:
    trial.records += len(lines)
    out.write(b"".join(lines))
    out.flush()
    lines.clear()


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
