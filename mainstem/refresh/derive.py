"""The step derive: lines whose looked-up resource changed are mapped again, then values of several records are computed."""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import groupby, islice
from operator import attrgetter

import structlog

from mainstem.config.site_mapper import site_mapper
from mainstem.refresh.door import holding
from mainstem.refresh.opening import Refresh
from mainstem.state import Batch, Saved
from mainstem.state.subjects import Reads
from transforms import Mapper
from transforms.derive import NOTHING, RECORD, Current, Deriver, identity_of, shipped, values
from transforms.mapped import Mapped

log = structlog.get_logger()

SUBJECTS = 500
"""Persons after whom it is told how far the step is."""
RECORDS = 2_000
"""Derived records that are saved at once."""
LINES = 1_000
DERIVED = "derived"
"""The part of a load that the values are saved under."""


def derive(refresh: Refresh, load_id: str) -> int:
    """Brings what is made of several resources or records up to date, for the subjects this load touched.

    Restartable: what is touched is kept with the load. Returns how many records changed.
    """
    with holding(refresh, load_id, "derive"):
        changed = _map_due(refresh, load_id) + _derive(refresh, load_id)
    log.info("derived", site=refresh.site.site, load=load_id, changed=changed)
    return changed


def mapper_of(refresh: Refresh) -> Mapper:
    """The site's mapper, which looks up what the state keeps."""
    look_up = partial(refresh.store.references.look_up, refresh.site.site)
    return site_mapper(refresh.file, refresh.secrets, look_up=lambda refs: look_up(list(refs)))


def _map_due(refresh: Refresh, load_id: str) -> int:
    """Orders whose Medication changed, came after them or is no more: mapped again from the line that the state keeps.

    One that no longer names a drug is withdrawn: the drug it told is not known to be right.
    """
    changed, after, mapper = 0, b"", None
    while due := refresh.store.references.due(refresh.site.site, after=after, limit=LINES):
        mapper = mapper or mapper_of(refresh)
        lines = list({each.ref: each.line for each in due}.values())
        outcomes = mapper.map_lines(lines)
        unusable = (each for each in outcomes.unusual.values() if each.withdrawn or each.problem is not None)
        gone = [(each.ref, each.updated) for each in unusable]
        batch = Batch(outcomes.records, gone, depends=outcomes.depends, mapped_again=True)
        changed += _changes(refresh.store.records.save(load_id, "MedicationRequest/again", batch, refresh.clock()))
        after = due[-1].ref
    return changed


def _derive(refresh: Refresh, load_id: str) -> int:
    """Subjects of whom an input changed; all of them where the network asks for other values, or these are made otherwise."""
    store, site, wanted = refresh.store, refresh.site.site, refresh.settings.derive
    made_by = identity_of(wanted)
    before = store.loads.last_mapping(site, DERIVED)
    anew = before != made_by and not (before is None and wanted == NOTHING)
    if not anew and (wanted == NOTHING or not store.subjects.any_changed(load_id)):
        return 0
    deriver = _deriver(refresh, wanted)
    reads = Reads(deriver.inputs.types, deriver.inputs.codes)
    subjects = None if anew else store.subjects.changed(load_id, reads=reads)
    store.loads.begin_part(load_id, DERIVED, made_by)  # run again, the step counts what it finds anew
    everything = reads._replace(types={*reads.types, RECORD})
    histories = store.subjects.histories(site, subjects, everything)
    return _save(refresh, load_id, _derived(refresh, deriver, histories))


def _deriver(refresh: Refresh, wanted: str) -> Deriver:
    return Deriver(
        site=refresh.site.site,
        subject_key=refresh.secrets(refresh.site.subject_key),
        values=values(wanted),
        known=[value.name for value in shipped()],
    )


def _derived(refresh: Refresh, deriver: Deriver, histories: Iterable[Current]) -> Iterator[Mapped | bytes]:
    for done, (_subject, records) in enumerate(groupby(histories, attrgetter("subject")), 1):
        yield from deriver.derive(records)
        if done % SUBJECTS == 0:
            refresh.progress("derive", "subjects", done)


def _save(refresh: Refresh, load_id: str, derived: Iterator[Mapped | bytes]) -> int:
    changed = 0
    while some := list(islice(derived, RECORDS)):
        records = [each for each in some if isinstance(each, Mapped)]
        gone: list[tuple[bytes, int | None]] = [(each, None) for each in some if isinstance(each, bytes)]
        batch = Batch(records, gone)
        changed += _changes(refresh.store.records.save(load_id, DERIVED, batch, refresh.clock()))
    return changed


def _changes(saved: Saved) -> int:
    return saved.recorded + saved.amended + saved.withdrawn
