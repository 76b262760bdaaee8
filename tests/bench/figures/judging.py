"""What a site pays for the sample that is judged by FHIR's own rules unless it says otherwise: beside a load that judges none."""

from collections.abc import Iterator

import content
from bench import FEW, Bench
from figure import Figure
from measuring import Ran, quickest

SAMPLE = 0.01
ROUNDS = 3


def figures(bench: Bench) -> Iterator[Figure]:
    """Of this checkout alone: processor time and memory of a load of few lines, most of them the rules' own loading."""
    now, delivery, begun = bench.checkouts[0], bench.delivery("repeated", FEW), 0

    def loaded(sample: float) -> Ran:
        nonlocal begun
        begun += 1
        name = f"judging-{begun}"
        folder = bench.folder / name
        folder.mkdir()
        env = {
            "MAINSTEM_KAFKA": bench.tansu,
            "MAINSTEM_NETWORK": name,
            "MAINSTEM_DATABASE_URL": f"sqlite:///{folder / 'state.db'}",
            "MAINSTEM_LANDING": str(folder / "landing"),
            "MAINSTEM_DERIVE": "none",
        }
        now.mainstem("topics", "create", "--replication", "1", **env)
        return now.mainstem("run", content.site_file(delivery, sample=sample), "--json", **env)

    judged, plain = (quickest(loaded(sample) for _ in range(ROUNDS)) for sample in (SAMPLE, 0))
    note = f"{judged.cpu:.1f} s with it, {plain.cpu:.1f} s without, {FEW:,} lines"
    yield Figure("judging a sample", judged.cpu - plain.cpu, "s CPU", now.name, None, "", note, lower_is_better=True)
    what, more = "judging a sample, memory", judged.mebibytes - plain.mebibytes
    yield Figure(what, more, "MiB", now.name, None, "", lower_is_better=True)
