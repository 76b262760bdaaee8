"""`mainstem map` on one core of the types that the synthetic children do not have: requests, answers, appointments, goals …

Of this checkout alone: an older one maps some of them, or none.
"""

import json
from collections.abc import Iterator

import content
from bench import CHANGES, FEW, Bench
from figure import Figure
from measuring import Ran, quickest

LINES = 60_000
ROUNDS = 3


_ALONE = """
import json, sys, time
from pathlib import Path
from transforms import Mapper
told = {}
for path in sorted(Path(sys.argv[1]).glob("*.ndjson")):
    name, lines = path.name.partition(".")[0], path.read_bytes().splitlines()
    spent = []
    for _ in range(3):
        mapper = Mapper(site="bench", time_zone="America/Chicago", subject_key=b"0123456789abcdef" * 2)
        mapper.map_lines(lines[:50])
        began = time.process_time()
        outcomes = mapper.map_lines(lines[50:])
        spent.append(time.process_time() - began)
    left = sum(each.problem is not None for each in outcomes.unusual.values())
    told[name] = (len(lines) - 50) / min(spent), left
print(json.dumps(told))
"""


def figures(bench: Bench) -> Iterator[Figure]:
    """Resources a second without the start, by the difference of many lines and few; then each type by itself, in one process."""
    for kind in CHANGES:
        few, many = _mapped(bench, kind, FEW), _mapped(bench, kind, LINES)
        marginal, by_cpu = ((LINES - FEW) / (after - before) for after, before in _times(many, few))
        note = f"{many.mebibytes / few.mebibytes:.2f} times the memory of {FEW:,} lines"
        yield Figure(f"map, one core, other types, {kind}", marginal, "resources/s", "now", by_cpu, "", note)

    ran = bench.checkouts[0].python(_ALONE, bench.other_types("varied", LINES))
    for name, (rate, left) in json.loads(ran.out.splitlines()[-1]).items():
        note = f"by processor time, varied lines; {left:,} gave no record"
        yield Figure(f"map alone, {name}", rate, "resources/s", "now", rate, "", note)


def _times(many: Ran, few: Ran) -> tuple[tuple[float, float], tuple[float, float]]:
    return (many.seconds, few.seconds), (many.cpu, few.cpu)


def _mapped(bench: Bench, kind: str, lines: int) -> Ran:
    delivery, now = bench.other_types(kind, lines), bench.checkouts[0]
    site = content.site_file(delivery)
    return quickest(now.mainstem("map", "--site", site, delivery, core=0) for _ in range(ROUNDS))
