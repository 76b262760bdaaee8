"""What a proven full read lacks of what is held is gone at the EHR: withdrawn, within limits; beyond them it waits for a word."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from itertools import islice

import msgspec
import structlog

from connectors.cohort import Roster
from connectors.fan_out import EVERYBODY, PATIENT
from connectors.formats.ndjson import read_batches
from connectors.pulled import EXPORT, Pulled, Shortfall
from connectors.pulling import reads_files
from mainstem.refresh.cohort import roster_of
from mainstem.refresh.opening import Refresh
from mainstem.state import Batch, Load
from schemas.gaps import GapCause
from schemas.problems import Problem
from transforms import Mapper
from transforms.mapped import REF_BYTES
from transforms.privacy.pseudonyms import Pseudonyms

log = structlog.get_logger()
AT_ONCE = 8_000
"""Withdrawals a transaction."""


def withdraw_absent(refresh: Refresh, load: Load, name: str, mapper: Mapper) -> None:
    """Withdraws what a type's full read lacks, where the server's own count proves that all came.

    Where patients were named, what is held of others is not judged. Of patients that the server says were deleted nothing
    stands, whatever was read.
    """
    pulled, roster = refresh.store.loads.pulled(load.id), roster_of(refresh, load.id)
    said = beforehand(refresh)
    unit = pulled.get(name) or (pulled.get(EXPORT) if name in said else None)
    proven = unit is not None and not unjudged(refresh, name, unit, said)
    gone = _subjects(refresh, roster.gone if roster else ())
    if unit is None or not (proven or gone):
        return
    named = _named(refresh, load, unit, roster)
    with closing(_Refs()) as refs:
        for path in refresh.landing(load.id).files(name):
            for _, lines in read_batches(path, cap=refresh.site.limits.line_bytes):
                if isinstance(lines, Problem):
                    return  # whose line it is cannot be told
                refs.came(id_[:REF_BYTES] for id_ in mapper.record_ids(name, lines))
        of = gone if not proven else None if named is None else named | gone
        held = refs.hold(refresh.store.absences.refs(load.site, name, of))
        _withdraw(refresh, load, unit, name, refs, held)


def unjudged(refresh: Refresh, name: str, unit: Pulled, said: Collection[str]) -> str:
    """Why what did not come of a type may be there all the same; empty where it is not there. `said`: the types of `beforehand`."""
    if name in said and unit.full and not unit.missing(name) and unit.way in ("", PATIENT):
        return ""
    if unit.unit == EXPORT:
        return "an export counts what is in its files, not what the EHR holds"
    if reads_files(refresh.site):
        return "a delivery counts what is in its files, not what the EHR holds"
    if not unit.full:
        return "only what was updated since the last time was asked for"
    if (missing := unit.missing(name)) and not {each.cause for each in missing} <= _allowed(refresh, name):
        return "it did not come whole"
    if unit.way not in ("", PATIENT):
        return f"it is asked for by {unit.way}, and what stands under none that is asked for does not come"
    return "" if unit.counted else "the EHR's own count does not prove that all came"


def beforehand(refresh: Refresh) -> set[str]:
    """The types of which somebody said that what the next whole read lacks is gone: a new EHR has all of its history."""
    return {each.resource_type for each in refresh.store.absences.of(refresh.site.site) if each.beforehand}


def _allowed(refresh: Refresh, name: str) -> set[str]:
    """What may be missing of a type that is judged all the same."""
    accepted = refresh.store.gaps.acceptances(refresh.site.site)
    return {GapCause.WITHDRAWAL_HELD, *(each.cause for each in accepted if each.resource_type == name)}


def _named(refresh: Refresh, load: Load, unit: Pulled, roster: Roster | None) -> set[bytes] | None:
    """The subjects that were asked for one by one; None where everybody was."""
    if roster is None and unit.way == PATIENT:
        roster = refresh.landing(load.id).cursor(EVERYBODY, Roster)
    return None if roster is None else _subjects(refresh, roster.ids)


def _subjects(refresh: Refresh, ids: Iterable[str]) -> set[bytes]:
    subject_of = Pseudonyms(refresh.secrets(refresh.site.subject_key)).subject
    return {subject_of(each) for each in ids}


def _withdraw(refresh: Refresh, load: Load, unit: Pulled, name: str, refs: "_Refs", held: int) -> None:
    absences, absent = refresh.store.absences, refs.count_absent()
    limits = refresh.site.limits
    most = max(limits.withdraw_count, held * limits.withdraw_percent / 100)
    waiting = [each for each in absences.of(load.site) if each.resource_type == name]
    released = sum(each.absent for each in waiting if each.released)
    if absent > most + released and not any(each.beforehand for each in waiting):
        absences.hold(load.site, name, absent, held, refresh.clock())
        reason = (
            f"{name}: {absent} of {held} held are gone from the EHR; they are kept until somebody says that it is true"
        )
        others = [each for each in unit.short if each.cause is not GapCause.WITHDRAWAL_HELD]
        short = [*others, Shortfall(name, GapCause.WITHDRAWAL_HELD, reason)]
        refresh.store.loads.record_pulled(load.id, {name: msgspec.structs.replace(unit, short=short)})
        log.warning("withdrawal held", site=load.site, load=load.id, type=name, absent=absent, held=held)
        return
    gone = refs.absent()
    while some := list(islice(gone, AT_ONCE)):
        batch = Batch(withdrawn=[(ref, None) for ref in some])
        refresh.store.records.save(load.id, name, batch, refresh.clock())
    absences.settle(load.site, name)


class _Refs:
    """Refs that came and refs that are held; on the disk once they are many."""

    def __init__(self) -> None:
        self._rows = sqlite3.connect("")
        for table in ("came", "held"):
            self._rows.execute(f"CREATE TABLE {table} (ref BLOB PRIMARY KEY) WITHOUT ROWID")
        self.close = self._rows.close

    def came(self, refs: Iterator[bytes]) -> None:
        self._rows.executemany("INSERT OR IGNORE INTO came VALUES (?)", ((ref,) for ref in refs))

    def hold(self, refs: Iterator[bytes]) -> int:
        self._rows.executemany("INSERT OR IGNORE INTO held VALUES (?)", ((ref,) for ref in refs))
        return self._one("SELECT count(*) FROM held")

    def count_absent(self) -> int:
        return self._one("SELECT count(*) FROM held WHERE ref NOT IN came")

    def absent(self) -> Iterator[bytes]:
        return (row[0] for row in self._rows.execute("SELECT ref FROM held WHERE ref NOT IN came ORDER BY ref"))

    def _one(self, query: str) -> int:
        number: int = self._rows.execute(query).fetchone()[0]
        return number
