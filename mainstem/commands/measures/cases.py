"""Published cases on the command line: mapped as a site's lines are, said with the reason where one fails, and what may be the cause."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mainstem.commands.map.files import map_paths
from mainstem.commands.terminal import reason_fix, say, stdout
from schemas.errors import OperatorError
from schemas.problems import Reason
from services.measures.compile.memory import InMemory
from services.measures.compile.people import Person
from services.measures.compile.reasons import reason
from services.measures.declared import Definition
from services.measures.official.editions import EDITIONS
from services.measures.verify import Case, Difference
from services.measures.verify import verify as compared

NOT_READ = (
    Reason.INVALID_JSON,
    Reason.TRUNCATED_FILE,
    Reason.OTHER_ENCODING,
    Reason.LINE_TOO_LONG,
    Reason.FILE_TOO_LARGE,
)
"""Why nobody can say what a line holds: of such a case nothing can be said either."""


class CaseMapper:
    """Maps cases as a site's lines are mapped, and counts what gave no record."""

    def __init__(self) -> None:
        self._skipped: Counter[str] = Counter()
        self._faults: list[str] = []
        self._several: list[str] = []

    def records(self, resources: Path) -> Iterator[dict[str, Any]]:
        """The current records that one patient's resources give, numbered as these stand: of two in the same instant the first is taken."""
        if not resources.is_file():
            raise OperatorError(f"no such file: {resources}", "Give the NDJSON file of one patient's resources.")
        out = BytesIO()
        with TemporaryDirectory(prefix="mainstem-") as folder:
            told_apart = Path(folder) / "problems.jsonl"
            self._skipped += map_paths([resources], None, out=out, problems=told_apart).skipped
            problems = [json.loads(line) for line in told_apart.read_text(encoding="utf-8").splitlines()]
        unread = [each for each in problems if each["reason"] in NOT_READ]
        self._faults += [f"{resources}, line {each['line']}: {each['meaning']}" for each in unread]
        patients = 0
        for line in _numbered(out.getvalue()).splitlines():
            told = json.loads(line, parse_float=Decimal)
            patients += told["record"]["type"] == "person"
            yield told["record"] | {"flags": told["provenance"].get("flags", [])}
        if patients > 1:
            self._several.append(str(resources))

    def demand_whole(self) -> None:
        """Raises `OperatorError` with a line for each file of which not all could be read."""
        if self._faults:
            raise OperatorError(self._faults, "Copy it again; each line is one FHIR resource as JSON, in UTF-8.")

    def say_what_was_left_out(self) -> None:
        """On standard error."""
        for why, count in sorted(self._skipped.items()):
            say(f"not used: {count:,} resources × {why}: {reason_fix(why)}", err=True)
        for path in self._several:
            say(
                f"{path}: several patients; all that is there counts as one's, and the first Patient says the age",
                err=True,
            )


def _numbered(lines: bytes) -> bytes:
    """Lines of records whose ids rise as they stand: of a throwaway key, they would fall otherwise each time."""
    own, named = re.compile(rb'"id":"r-([0-9a-f]+)"'), re.compile(rb'(?<="r-)[0-9a-f]+(?=")')
    numbers = {id_: b"%0*x" % (len(id_), number) for number, id_ in enumerate(own.findall(lines))}
    return named.sub(lambda found: numbers.get(found[0], found[0]), lines)


def say_cases(found: Sequence[tuple[Case, list[Difference]]], definition: Definition, evaluator: InMemory) -> None:
    """Each case, and of one that fails the first difference with its reason; then how many pass."""
    for case, differences in found:
        say(f"{'pass' if not differences else 'FAIL'}  {case.name}")
        if differences:
            first = differences[0]
            say(f"      {first.population} of rate {first.group}: expected {first.expected}, got {first.got}")
            person = Person(CaseMapper().records(case.resources))
            condition = definition.groups[first.group - 1].asked_of(first.population)
            for line in reason(evaluator, condition, person).lines(3):
                stdout().print(line, soft_wrap=True)
    passed = sum(not differences for _, differences in found)
    say(f"{definition.id}: {passed} of {len(found)} cases pass")


def of_other_years(
    failed: Sequence[Case], year: int, compiled: Callable[[int], tuple[Definition, InMemory]]
) -> Iterator[str]:
    """Whether cases that fail, and in which somebody counts, pass in another measurement year: they may have been published for that."""
    counting = [case for case in failed if any(any(group.values()) for group in case.expected)]
    for other in EDITIONS:
        if other == year:
            continue
        try:
            definition, evaluator = compiled(other)
            pairs = compared(definition, other, counting, evaluator, CaseMapper().records)
            passed = sum(not differences for _, differences in pairs)
        except OperatorError:
            continue  # value sets of that year are not here
        if passed:
            yield f"{passed:,} of those that fail pass as cases of {other}: are they published for --year {other}?"
