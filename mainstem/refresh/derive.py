"""The step derive: lines whose looked-up resource changed are mapped again, then values of several records are computed."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice

import msgspec
import structlog

from mainstem.config.site_mapper import site_mapper
from mainstem.refresh.door import holding
from mainstem.refresh.opening import Refresh
from mainstem.state import Batch, Saved
from transforms import Mapper
from transforms.derive import Current, Deriver, Value, record_types, values

log = structlog.get_logger()

SUBJECTS = 500
"""Persons whose records are read at once."""
LINES = 1_000
DERIVED = "derived"
"""The part of a load that the values are saved under."""


def derive(refresh: Refresh, load_id: str, *, of: Sequence[Value] | None = None) -> int:
    """Brings what is made of several resources or records up to date, for the subjects this load touched.

    Restartable: what is touched is kept with the load. `of`: other values than those that ship. Returns how many records
    changed.
    """
    with holding(refresh, load_id, "derive"):
        changed = _map_due(refresh, load_id) + _derive(refresh, load_id, values() if of is None else of)
    log.info("derived", site=refresh.site.site, load=load_id, changed=changed)
    return changed


def mapper_of(refresh: Refresh) -> Mapper:
    """The site's mapper, which looks up what the state keeps."""
    look_up = partial(refresh.store.references.look_up, refresh.site.site)
    return site_mapper(refresh.file, refresh.secrets, look_up=lambda refs: look_up(list(refs)))


def _map_due(refresh: Refresh, load_id: str) -> int:
    """Orders whose Medication (and uses whose Device) changed, came after them or is no more: mapped again from the line
    that the state keeps.

    One that no longer names a drug or device is withdrawn: what it told is not known to be right.
    """
    changed, after, mapper = 0, b"", None
    while due := refresh.store.references.due(refresh.site.site, after=after, limit=LINES):
        mapper = mapper or mapper_of(refresh)
        lines: dict[str, dict[bytes, bytes]] = {}
        for each in due:
            lines.setdefault(_type_of(each.line).resourceType, {})[each.ref] = each.line
        for name, of_type in lines.items():
            outcomes = mapper.map_lines(list(of_type.values()))
            unusable = (each for each in outcomes.unusual.values() if each.withdrawn or each.problem is not None)
            gone = [(each.ref, each.updated) for each in unusable]
            batch = Batch(outcomes.records, gone, depends=outcomes.depends, mapped_again=True)
            changed += _changes(refresh.store.records.save(load_id, f"{name}/again", batch, refresh.clock()))
        after = due[-1].ref
    return changed


class _Named(msgspec.Struct):
    resourceType: str


_type_of = msgspec.json.Decoder(_Named).decode


def _derive(refresh: Refresh, load_id: str, of: Sequence[Value]) -> int:
    if not of:
        return 0
    store, site = refresh.store, refresh.site
    deriver = Deriver(site=site.site, subject_key=refresh.secrets(site.subject_key), values=of)
    store.loads.begin_part(load_id, DERIVED, "")  # run again, the step counts what it finds anew
    changed = done = 0
    for subjects in _portions(store.subjects.changed(load_id)):
        current = store.subjects.current(site.site, subjects, record_types(of))
        found = deriver.derive(Current(*record) for record in current)
        batch = Batch(found.records, [(ref, None) for ref in found.withdrawn])
        changed += _changes(store.records.save(load_id, DERIVED, batch, refresh.clock()))
        done += len(subjects)
        refresh.progress("derive", "subjects", done)
    return changed


def _changes(saved: Saved) -> int:
    return saved.recorded + saved.amended + saved.withdrawn


def _portions(subjects: Iterable[bytes]) -> Iterator[list[bytes]]:
    left = iter(subjects)
    while some := list(islice(left, SUBJECTS)):
        yield some
