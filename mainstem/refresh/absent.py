"""What a proven full read lacks of what is held is gone at the EHR: withdrawn, within limits; beyond them it waits for a word."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice

import msgspec
import structlog

from connectors.formats.ndjson import read_batches
from connectors.pulled import Pulled, Shortfall
from mainstem.refresh.opening import Refresh
from mainstem.state import Batch, Load
from schemas.gaps import GapCause
from schemas.problems import Problem
from transforms import Mapper
from transforms.mapped import REF_BYTES

log = structlog.get_logger()
AT_ONCE = 8_000
"""Withdrawals a transaction."""


def withdraw_absent(refresh: Refresh, load: Load, name: str, mapper: Mapper) -> None:
    """Withdraws what a type's full read lacks, where the server's own count proves that all came and no cohort narrowed it."""
    unit = refresh.store.loads.pulled(load.id).get(name)
    if unit is None or not _proven(refresh, load, name, unit):
        return
    with closing(_Refs()) as refs:
        for path in refresh.landing(load.id).files(name):
            for _, lines in read_batches(path, cap=refresh.site.limits.line_bytes):
                if isinstance(lines, Problem):
                    return  # whose line it is cannot be told
                refs.came(id_[:REF_BYTES] for id_ in mapper.record_ids(name, lines))
        held = refs.hold(refresh.store.absences.refs(load.site, name))
        _withdraw(refresh, load, unit, name, refs, held)


def _proven(refresh: Refresh, load: Load, name: str, unit: Pulled) -> bool:
    """Whether what did not come is not there."""
    if not (unit.full and unit.counted) or refresh.site.reads_some:
        return False
    accepted = {each.cause for each in refresh.store.gaps.acceptances(load.site) if each.resource_type == name}
    return all(each.cause in accepted for each in unit.missing(name))


def _withdraw(refresh: Refresh, load: Load, unit: Pulled, name: str, refs: "_Refs", held: int) -> None:
    absences, absent = refresh.store.absences, refs.count_absent()
    limits = refresh.site.limits
    most = max(limits.withdraw_count, held * limits.withdraw_percent / 100)
    released = [each.absent for each in absences.of(load.site) if each.resource_type == name and each.released]
    if absent > most + sum(released):
        absences.hold(load.site, name, absent, held, refresh.clock())
        reason = (
            f"{name}: {absent} of {held} held are gone from the EHR; they are kept until somebody says that it is true"
        )
        short = [*unit.short, Shortfall(name, GapCause.WITHDRAWAL_HELD, reason)]
        refresh.store.loads.record_pulled(load.id, name, msgspec.structs.replace(unit, short=short))
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
