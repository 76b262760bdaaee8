"""What the checks that judge a person alone find, as flags of the records: of whom something changed, or of all."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby, islice
from operator import attrgetter
from typing import TYPE_CHECKING

from mainstem.refresh.opening import Refresh
from mainstem.state.subjects import index_subjects
from transforms.identity import judgement_of

if TYPE_CHECKING:
    from transforms.quality import Flagger

PART = "derived/judged"
"""The part of a load under which flags are kept."""
_PERSONS = 500
"""Whose records are asked for, and whose flags are saved, at once."""
_EASTERNMOST = timedelta(hours=14)


def flag_findings(refresh: Refresh, load_id: str) -> int:
    """Flags of all whom the load touched; of everybody where the checks are others than those of the last load, and of a first.

    Where nothing is derived nothing is flagged, and what was flagged is no more. Returns how many records have other flags.
    """
    store, site, wanted = refresh.store, refresh.site.site, refresh.settings.derive
    none = wanted == "none"
    made_by = judgement_of("none" if none else "")
    before = store.loads.last_mapping(site, PART)
    anew = before != made_by and not (before is None and none)
    if not anew and (none or not store.subjects.any_changed(load_id)):
        return 0
    store.loads.begin_part(load_id, PART, made_by)
    index_subjects(store.database)
    subjects = store.subjects.all(site) if anew else store.subjects.changed(load_id)
    return _flag(refresh, load_id, subjects, None if none else _flagger(refresh))


def _flagger(refresh: Refresh) -> "Flagger":
    from transforms.quality import Flagger  # its rooms take time: only where somebody is judged

    return Flagger((refresh.clock() + _EASTERNMOST).date())


def _flag(refresh: Refresh, load_id: str, subjects: Iterator[bytes], flagger: "Flagger | None") -> int:
    store, site, changed, judged = refresh.store, refresh.site.site, 0, 0
    while some := list(islice(subjects, _PERSONS)):
        found: dict[bytes, tuple[bytes, tuple[str, ...]]] = {}
        rows = store.quality.rows_of(site, some) if flagger is not None else ()
        for subject, records in groupby(rows, attrgetter("subject")):
            assert flagger is not None
            for record, flags in flagger.flags(records).items():
                found[bytes.fromhex(record[2:])] = subject, tuple(sorted(flags))
        changed += store.findings.save(load_id, PART, some, found, refresh.clock())
        judged += len(some)
        refresh.progress("derive", "judged", judged)
    return changed
