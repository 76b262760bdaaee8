"""What is told of groups beside everybody: figures by group, and which of them are of too few people to be told.

    {"sex": [{"group": "female", "populations": {…}}, {"group": "male", …}], "payer": […]}

A site's results are kept with every group and told without those of a few; the network's are sums of all sites' groups, told where
nobody can reckon from them what a site did not tell.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from services.measures.cells import FEWEST, hides, suppressed

Told = dict[str, Any]
"""A group's figures, `measured` too: how many a mean is of."""
Strata = Mapping[str, Sequence[Told]]
"""Groups by kind."""


def without_few(strata: Strata) -> dict[str, list[Told]]:
    """What can be told of them; a kind of which nothing can be told is left out."""
    found = {kind: [_without_mean_of_few(each) for each in _shown(groups, ())] for kind, groups in strata.items()}
    return {kind: groups for kind, groups in found.items() if groups}


def _without_mean_of_few(told: Told) -> Told:
    return told if told.get("measured", FEWEST) >= FEWEST else {k: v for k, v in told.items() if k != "mean"}


def strata_together(of_sites: Sequence[Strata]) -> dict[str, list[Told]]:
    """The network's, of all its sites' groups. One that some sites do not tell is told where those are several and of enough people."""
    found: dict[str, list[Told]] = {}
    for kind in sorted({kind for strata in of_sites for kind in strata}):
        cells: dict[str | None, list[tuple[Told, bool]]] = defaultdict(list)
        for strata in of_sites:
            shown = {each["group"] for each in _shown(strata.get(kind, ()), ())}
            for each in strata.get(kind, ()):
                cells[each["group"]].append((each, each["group"] in shown))
        summed = [_sum([each for each, _ in cells[name]]) for name in sorted(cells, key=str)]
        reckoned = [name for name, some in cells.items() if not hides([_size(each) for each, told in some if not told])]
        if together := _shown(summed, reckoned):
            found[kind] = together
    return found


def _shown(groups: Sequence[Told], besides: Sequence[str | None]) -> list[Told]:
    told = suppressed({each["group"]: _size(each) for each in groups}, besides)
    return [each for each in groups if told[each["group"]] is not None]


def _size(told: Told) -> int:
    """Of how many something is said: whoever is set aside is in no other population."""
    return max(told["populations"].values(), default=0)


def _sum(cells: Sequence[Told]) -> Told:
    names = {name: None for each in cells for name in each["populations"]}
    whole: Told = {
        "group": cells[0]["group"],
        "populations": {name: sum(each["populations"][name] for each in cells) for name in names},
    }
    for name in ("events", "days", "measured"):
        if any(name in each for each in cells):
            whole[name] = sum(each.get(name, 0) for each in cells)
    if whole.get("measured"):
        total = sum(each["mean"] * each["measured"] for each in cells if "mean" in each)
        whole["mean"] = round(total / whole["measured"], 9)
    return whole
