"""The slices of large types as tasks of a DAG: what others are read with is mapped before, by the tasks that map whole types."""

from collections.abc import Sequence

from mainstem.refresh.absent import withdraw_absent
from mainstem.refresh.derive import mapper_of
from mainstem.refresh.door import BusyError, holding
from mainstem.refresh.map import map_slice, map_types, split
from mainstem.refresh.merged import PATIENT
from mainstem.refresh.opening import Refresh
from schemas.loads import TypeCounts, add_up
from schemas.outcomes import families
from transforms import Mapper


def map_undivided(refresh: Refresh, load_id: str, types: Sequence[str], workers: int) -> TypeCounts:
    """Maps some types but for those that are worth splitting over so many tasks: `map_divided` does."""
    later = {name for name in _last(types) if split(refresh, load_id, name, workers)} if workers > 1 else set()
    return map_types(refresh, load_id, [name for name in types if name not in later])


def map_divided(refresh: Refresh, load_id: str, part: int, workers: int) -> TypeCounts:
    """Maps the slices that fall to one of so many tasks; whoever ends a type last does what is left of it."""
    mapper, figures = mapper_of(refresh, load_id), []
    divided = refresh.store.slices.of(load_id)
    for name in _last(refresh.store.loads.get(load_id).plan.types):
        for each in divided.get(name, ())[part::workers]:
            map_slice(refresh, load_id, each, mapper)
            figures.append(refresh.store.slices.figures(load_id, each))
        if name in divided and not any(each.name == name for each in refresh.store.slices.left(load_id)):
            _finish(refresh, load_id, name, mapper)
    return add_up(figures)


def _last(types: Sequence[str]) -> list[str]:
    """Types that none of the others is read with. Patients are few, and what they say of merges comes before them."""
    return [family[-1] for family in families(types) if family[-1] != PATIENT]


def _finish(refresh: Refresh, load_id: str, name: str, mapper: Mapper) -> None:
    try:
        with holding(refresh, load_id, "map", name) as load:
            refresh.store.loads.nothing_came(load_id, [name])  # nothing of it is left beside its slices
            withdraw_absent(refresh, load, name, mapper)
    except BusyError:
        return  # another who was through with the last of it does this
