"""`mainstem map`: FHIR NDJSON in, outcome records as JSON lines out; no broker, no database."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from connectors.ndjson import find_files, read_lines
from mainstem.settings import file_secrets, read_site
from mainstem.site_mapper import site_mapper
from schemas.events import TypeCounts
from schemas.problems import OperatorError, Problem
from transforms import Outcome

WRITE_EVERY = 2_000
"""Lines gathered before a write."""


def map_paths(
    paths: Iterable[Path],
    site_path: Path,
    *,
    out: IO[bytes],
    problems: Path | None = None,
    progress: Callable[[str, str, int], None] = lambda _step, _unit, _count: None,
) -> TypeCounts:
    """Maps files and folders to `{"record":…,"provenance":…}` lines on `out`, problems to a JSON-lines file."""
    file = read_site(site_path)
    mapper = site_mapper(file, file_secrets(file.folder))
    with ExitStack() as stack:
        report = stack.enter_context(problems.open("w", encoding="utf-8")) if problems else None
        trial = _Trial(mapper.map_line, file.site.site, out, report)
        for path in [found for given in paths for found in _files(given)]:
            for number, line in enumerate(read_lines(path, cap=file.site.limits.line_bytes), start=1):
                trial.take(line, path, number)
            progress("map", path.name, trial.counts.read)
        return trial.finish()


def _files(path: Path) -> list[Path]:
    found = list(find_files(path))
    if not found:
        raise OperatorError(
            f"{path}: no NDJSON file there", "Give .ndjson or .ndjson.gz files, or folders that hold some."
        )
    return found


class _Trial:
    """Counts and writes; lines are gathered, because one write a record would cost more than its mapping."""

    def __init__(self, map_line: Callable[[bytes], Outcome], site: str, out: IO[bytes], report: IO[str] | None) -> None:
        self.counts = TypeCounts()
        self._map_line, self._out, self._report = map_line, out, report
        self._skipped: Counter[str] = Counter()
        self._lines: list[bytes] = []
        self._site = b'"provenance":{"site":"%s",' % site.encode()

    def take(self, line: bytes | Problem, path: Path, number: int) -> None:
        """One line of a file, or why it could not be read."""
        self.counts.read += 1
        if isinstance(line, Problem):
            return self._skip(line, path, number)
        outcome = self._map_line(line)
        if outcome.problem is not None:
            return self._skip(outcome.problem, path, number)
        self.counts.mapped += 1
        self.counts.withdrawn += outcome.withdrawn
        for record in outcome.records:
            self._lines.append(b'{"record":%b,%b%b}}\n' % (record.content, self._site, record.provenance))
        if len(self._lines) >= WRITE_EVERY:
            self._write()
        return None

    def finish(self) -> TypeCounts:
        """Writes what is left and returns the figures."""
        self._write()
        self.counts.skipped = dict(self._skipped)
        return self.counts

    def _write(self) -> None:
        self.counts.records += len(self._lines)
        self._out.write(b"".join(self._lines))
        self._out.flush()
        self._lines.clear()

    def _skip(self, problem: Problem, path: Path, number: int) -> None:
        self._skipped[problem.reason] += 1
        if self._report is not None:
            row = {
                "reason": problem.reason,
                "type": problem.resource_type,
                "path": problem.path,
                "file": path.name,
                "line": number,
                "meaning": problem.reason.meaning,
                "fix": problem.reason.fix,
            }
            self._report.write(json.dumps(row) + "\n")
