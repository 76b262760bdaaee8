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

MEMBERS = 100_000
_GROUP = """
import json, resource, sys
from pathlib import Path
from mainstem import refresh as steps
from mainstem.config.settings import Settings
folder, members = Path(sys.argv[1]), int(sys.argv[2])
(folder / "delivery").mkdir(parents=True)
with (folder / "delivery" / "Group.ndjson").open("w") as file:
    file.write('{"resourceType":"Group","id":"g","type":"person","actual":true,"code":{"coding":[{"system":"http://snomed.info/sct",'
               '"code":"190905008"}]},"member":[{"entity":{"reference":"Patient/first"}}')
    for place in range(members):
        file.write(',{"entity":{"reference":"Patient/kid-%d"},"period":{"start":"20%d-04-07"}}' % (place, 10 + place % 15))
    file.write("]}\\n")
(folder / "key").write_text("0123456789abcdef0123456789abcdef")
(folder / "west.toml").write_text('site = "west"\\nname = "West"\\ntime_zone = "UTC"\\nsubject_key = "file:key"\\nroad = "files"\\n'
    'types = ["Group"]\\n[files]\\nfolder = "delivery"\\ndelivers = "changes"\\nsettle_seconds = 0\\n')
made = Settings(database_url=f"sqlite:///{folder / 'state.db'}", landing=folder / "landing", derive="none")
with steps.open_refresh(folder / "west.toml", made) as refresh:
    load = steps.plan(refresh).load
    steps.pull_units(refresh, load, steps.planned(refresh, load).units)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    steps.map_types(refresh, load, steps.planned(refresh, load).types)
print(json.dumps((before / 1024, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)))
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
    before, after = json.loads(bench.checkouts[0].python(_GROUP, bench.folder / "group", MEMBERS).out.splitlines()[-1])
    note = f"mapped and saved, on {before:.0f} MiB of the steps before, which hold its line"
    what = f"map, memory added by a Group of {MEMBERS:,} members"
    yield Figure(what, after - before, "MiB", "now", None, "flat", note, lower_is_better=True)


def _times(many: Ran, few: Ran) -> tuple[tuple[float, float], tuple[float, float]]:
    return (many.seconds, few.seconds), (many.cpu, few.cpu)


def _mapped(bench: Bench, kind: str, lines: int) -> Ran:
    delivery, now = bench.other_types(kind, lines), bench.checkouts[0]
    site = content.site_file(delivery)
    return quickest(now.mainstem("map", "--site", site, delivery, core=0) for _ in range(ROUNDS))
