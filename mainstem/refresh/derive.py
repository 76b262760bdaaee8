"""The step derive: lines whose looked-up resource changed are mapped again, then values of several records are computed."""

from collections import defaultdict
from functools import partial

import structlog

from mainstem.config.site_mapper import site_mapper
from mainstem.refresh.bearers import PATIENT, Bearers
from mainstem.refresh.door import holding
from mainstem.refresh.findings import flag_findings
from mainstem.refresh.opening import Refresh
from mainstem.refresh.values import PART, derive_values
from mainstem.state import Batch, Saved
from transforms import Mapper
from transforms.mapped import REF_BYTES, Mapped, Outcomes
from transforms.mapper import resource_type_of, source_type_of

log = structlog.get_logger()

LINES = 1_000


def derive(refresh: Refresh, load_id: str) -> int:
    """Brings what is made of several resources or records up to date, for the subjects this load touched.

    Restartable: what is touched is kept with the load. Returns how many records changed.
    """
    with holding(refresh, load_id, "derive"):
        changed = _map_due(refresh, load_id) + _link_due(refresh, load_id)
        changed += derive_values(refresh, load_id)
        changed += flag_findings(refresh, load_id)
    log.info("derived", site=refresh.site.site, load=load_id, changed=changed)
    return changed


def mapper_of(refresh: Refresh, load_id: str | None = None) -> Mapper:
    """The site's mapper, which looks up what the state keeps; with a load, also which Patients that one landed."""
    look_up = partial(refresh.store.references.look_up, refresh.site.site)
    lent = partial(refresh.store.lending.of, refresh.site.site)
    return site_mapper(
        refresh.file,
        refresh.secrets,
        look_up=lambda refs: look_up(list(refs)),
        lent=lambda refs: lent(list(refs)),
        bears=Bearers(refresh, load_id) if PATIENT in refresh.site.types else None,
    )


def _map_due(refresh: Refresh, load_id: str) -> int:
    """Orders whose Medication and uses whose Device changed, came after them or is no more, results whose report tells
    their time: mapped again from the line that the state keeps.

    One that no longer names a drug, a device or a time is withdrawn: the one it told is not known to be right.
    """
    changed, after, mapper = 0, b"", None
    while due := refresh.store.references.due(refresh.site.site, after=after, limit=LINES):
        mapper = mapper or mapper_of(refresh)
        by_type = defaultdict[str, list[bytes]](list)
        for line in {each.ref: each.line for each in due}.values():
            by_type[resource_type_of(line)].append(line)
        for name, lines in by_type.items():
            changed += _map_again(refresh, load_id, name, mapper.map_lines(lines))
        after = due[-1].ref
    return changed


def _map_again(refresh: Refresh, load_id: str, name: str, outcomes: Outcomes) -> int:
    unusable = (each for each in outcomes.unusual.values() if each.withdrawn or each.problem is not None)
    gone = [(each.ref, each.updated) for each in unusable]
    batch = Batch(outcomes.records, gone, depends=outcomes.depends, lent=outcomes.lent, mapped_again=True)
    return _changes(refresh.store.records.save(load_id, f"{name}/again", batch, refresh.clock()))


def _link_due(refresh: Refresh, load_id: str) -> int:
    """Records of which a report or a panel says something else than when they were saved: they say so from now on."""
    changed, after, mapper, lending = 0, b"", None, refresh.store.lending
    while refs := lending.due(refresh.site.site, after=after, limit=LINES):
        mapper = mapper or mapper_of(refresh)
        said = lending.of(refresh.site.site, refs) or {}
        by_type = defaultdict[str, list[Mapped]](list)
        for record in lending.records(refresh.site.site, refs):
            by_type[source_type_of(record)].append(mapper.linked(record, said.get(record.id[:REF_BYTES], ())))
        for name, records in by_type.items():
            changed += _changes(refresh.store.records.save(load_id, f"{name}/linked", Batch(records), refresh.clock()))
        refresh.store.records.save(load_id, PART, Batch(linked=refs), refresh.clock())
        after = refs[-1]
    return changed


def _changes(saved: Saved) -> int:
    return saved.recorded + saved.amended + saved.withdrawn
