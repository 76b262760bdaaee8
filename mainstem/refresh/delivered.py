"""What can be said of a delivery only when all its types were read: nothing of it is ours, or all of it came before."""

import msgspec

from connectors.pulled import Pulled, Shortfall
from connectors.pulling import reads_files
from mainstem.refresh.opening import Refresh
from mainstem.state import Load
from schemas.gaps import GapCause


def judge_delivery(refresh: Refresh, load: Load) -> None:
    """Notes with a load's units what is wrong with the delivery as a whole, where a site delivers files."""
    site, pulled = refresh.site, refresh.store.loads.pulled(load.id)
    if not pulled or site.files is None or not reads_files(site):
        return
    if not any(unit.delivered or unit.short for unit in pulled.values()):
        reason = "nothing of the site's types was delivered"
    elif _is_repeated(refresh, load, pulled):
        reason = "the delivery is the same as at the load before, in every file"
        if site.files.same_again == "note":
            first, unit = next(iter(pulled.items()))
            noted = msgspec.structs.replace(unit, notes=list(dict.fromkeys([*unit.notes, reason])))
            refresh.store.loads.record_pulled(load.id, {first: noted})
            return
    else:
        return
    late = {name: unit for name, unit in pulled.items() if unit.delivered or reason.startswith("nothing")}
    refresh.store.loads.record_pulled(load.id, {name: _late(name, unit, reason) for name, unit in late.items()})


def _late(name: str, unit: Pulled, reason: str) -> Pulled:
    return msgspec.structs.replace(unit, short=[*unit.short, Shortfall(name, GapCause.DELIVERY_LATE, reason)])


def _is_repeated(refresh: Refresh, load: Load, pulled: dict[str, Pulled]) -> bool:
    """Whether each type that came is, byte by byte, what it was the last time that it came."""
    loads, came = refresh.store.loads, {name: unit for name, unit in pulled.items() if unit.digest}
    before = {name: loads.last_pulled(load.site, name, lambda each: bool(each.digest)) for name in came}
    return bool(came) and all(known is not None and known.digest == came[name].digest for name, known in before.items())
