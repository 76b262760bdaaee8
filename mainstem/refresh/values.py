"""Values of several records, as the step derive brings them up to date: of whom an input changed, or of all."""

from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from operator import attrgetter
from typing import TYPE_CHECKING

from mainstem.refresh.opening import Refresh
from mainstem.state import Batch
from mainstem.state.subjects import Reads
from transforms.identity import derivation_of
from transforms.mapped import DERIVED, Current, Mapped

if TYPE_CHECKING:
    from transforms.derive import Deriver

SUBJECTS = 500
"""Persons after whom it is told how far the step is."""
RECORDS = 2_000
"""Derived records that are saved at once."""
PART = "derived"
"""The part of a load that the values are saved under."""


def derive_values(refresh: Refresh, load_id: str) -> int:
    """Subjects of whom an input changed; all of them where the network asks for other values, or these are made otherwise."""
    store, site, wanted = refresh.store, refresh.site.site, refresh.settings.derive
    made_by = derivation_of(wanted)
    before = store.loads.last_mapping(site, PART)
    anew = before != made_by and not (before is None and wanted == "none")
    if not anew and (wanted == "none" or not store.subjects.any_changed(load_id)):
        return 0
    deriver = _deriver(refresh, wanted)
    reads = Reads(deriver.inputs.types, deriver.inputs.codes)
    subjects = None if anew else store.subjects.changed(load_id, reads=reads)
    store.loads.begin_part(load_id, PART, made_by)  # run again, the step counts what it finds anew
    everything = reads._replace(types={*reads.types, DERIVED})
    histories = store.subjects.histories(site, subjects, everything)
    return _save(refresh, load_id, _derived(refresh, deriver, histories))


def _deriver(refresh: Refresh, wanted: str) -> "Deriver":
    from transforms.derive import Deriver, shipped, values  # its rooms take time: only where something is derived

    return Deriver(
        site=refresh.site.site,
        subject_key=refresh.secrets(refresh.site.subject_key),
        values=values(wanted),
        known=[value.name for value in shipped()],
    )


def _derived(refresh: Refresh, deriver: "Deriver", histories: Iterable[Current]) -> Iterator[Mapped | bytes]:
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
        saved = refresh.store.records.save(load_id, PART, batch, refresh.clock())
        changed += saved.recorded + saved.amended + saved.withdrawn
    return changed
