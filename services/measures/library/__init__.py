"""The network's measures, a file each with one `MEASURE`, found by file name; their code sets in `codes/`.

A file that cannot be used is told by file and line, and takes down no other.
"""

import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from services.measures.compile.memory import InMemory, Period
from services.measures.compile.words import outline
from services.measures.declared import Measure

NO_MEASURES = ("__init__.py", "code_sets.py", "shared.py")
FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Fault:
    """A measure's file that cannot be used."""

    file: str
    line: int
    cause: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.cause}"


def measures() -> dict[str, Measure]:
    """Every measure by its slug, the longest-standing first."""
    return _read()[0]


def measures_by_id() -> dict[str, Measure]:
    """The same by id."""
    return {measure.id: measure for measure in measures().values()}


def faults() -> tuple[Fault, ...]:
    """What is wrong with files that give no measure."""
    return _read()[1]


@cache
def _read() -> tuple[dict[str, Measure], tuple[Fault, ...]]:
    found, wrong = read_measures(sorted(path for path in FOLDER.glob("*.py") if path.name not in NO_MEASURES))
    standing = sorted(found.values(), key=lambda measure: (measure.changes[0].since, measure.id))
    return {measure.slug: measure for measure in standing}, wrong


def read_measures(files: Iterable[Path]) -> tuple[dict[str, Measure], tuple[Fault, ...]]:
    """The measures of some files by slug, and what is wrong with the others."""
    found: dict[str, Measure] = {}
    wrong: list[Fault] = []
    for path in files:
        try:
            measure = _measure(path)
            if measure.slug in found:
                raise ValueError(f"another file declares {measure.id}")
        except Exception as exc:  # noqa: BLE001 — whatever a measure's file raises is that file's fault alone
            wrong.append(Fault(path.name, _line(exc, path), f"{type(exc).__name__}: {exc}"))
        else:
            found[measure.slug] = measure
    return found, tuple(wrong)


def _measure(path: Path) -> Measure:
    """What a file declares, once it has been compiled and put into words."""
    spec = spec_from_file_location(f"{__name__}.{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    measure = getattr(module, "MEASURE", None)
    if not isinstance(measure, Measure):
        raise TypeError("it holds no MEASURE = Measure(…)")
    year = InMemory(Period(date(2026, 1, 1), date(2026, 12, 31)))
    for condition in measure.truths.values():
        year.of_event(condition)
    for named in measure.who.named().values():
        outline(named)
    return measure


def _line(exc: Exception, path: Path) -> int:
    """The last line of the file that was under way; the first where none was."""
    if isinstance(exc, SyntaxError) and exc.filename == str(path):
        return exc.lineno or 1
    frames = [frame for frame in traceback.extract_tb(exc.__traceback__) if frame.filename == str(path)]
    return (frames[-1].lineno if frames else None) or 1
