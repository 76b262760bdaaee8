"""State of every record, pending changes, watermarks, gaps, quarantine, loads.

State and outbox are one row: a record is pending while its `sequence` is above its `published_sequence`. One write, nothing to keep in
step, and the state is what replays come from. SQLite serves one site, PostgreSQL a network; mainstem/database holds what differs.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Engine, delete, exists, func, insert, select, text, update

from mainstem.database.engine import READS, connect, make_folder, name_of, parse_url, translated
from mainstem.database.locks import exclusive
from mainstem.state import tables
from mainstem.state.batches import Batches, Changed, Difference, Digested, PostgresBatches, SqliteBatches
from schemas.errors import MainstemError, OperatorError
from schemas.loads import Gap, TypeCounts
from schemas.outcomes import fhir_types_of, record_type_of
from transforms.mapped import NO_LINE, REF_BYTES, Mapped

EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DIGEST_BYTES = 16
"""BLAKE2b-128 of a record's content."""
EMPTY_DIGEST = blake2b(b"", digest_size=DIGEST_BYTES).digest()
"""The digest of a withdrawn record: it has no content."""

LoadStatus = Literal["running", "completed", "failed", "abandoned"]
Mode = Literal["incremental", "full"]


class Saved(NamedTuple):
    """What a batch changed. Every record given is recorded, amended, unchanged or stale."""

    recorded: int
    """Not known before, or known as withdrawn."""
    amended: int
    unchanged: int
    withdrawn: int
    """Stored records withdrawn: entered in error, or a part its resource no longer has."""
    stale: int
    """Older than what is known or than another version in the batch; not stored."""


class Pending(NamedTuple):
    """A record whose last change is not published."""

    number: int
    """Order of changes within the site; another change of the record gets another number."""
    id: bytes
    type: str
    subject: bytes
    digest: bytes
    content: bytes | None
    """None: withdrawn."""
    provenance: bytes
    load: str
    """The load that brought this change."""
    sequence: int
    previous: int
    """The sequence published last; 0 for none."""
    live: bool
    """What was published last, as far as was marked, is a value, not a tombstone or nothing."""
    changed: datetime
    """When the change was stored, UTC."""


class Load(NamedTuple):
    """One refresh of one site."""

    id: str
    """`north/2026-03-02T05:00:00Z`."""
    site: str
    mode: Mode
    status: LoadStatus
    started: datetime
    ended: datetime | None
    plan: dict[str, Any]
    report: dict[str, Any] | None
    published: int
    """Events acknowledged in this load."""


class Quarantined(NamedTuple):
    """A resource that gave no record: why and where it is. No source text."""

    resource_type: str
    ref: bytes
    """12 bytes, or empty where the resource has no id."""
    reason: str
    path: str
    """Field path inside the resource."""
    file: str
    """Name of the landing file."""
    line: int


class SiteType(NamedTuple):
    """One site and FHIR resource type, for `mainstem status`."""

    site: str
    resource_type: str
    record_type: str
    watermark: datetime | None
    records: int
    """Records not withdrawn."""
    pending: int
    oldest_pending: datetime | None
    gaps: list[Gap]
    quarantined: dict[str, int]
    """Resources by reason code."""
    load: str | None
    """The site's last load."""
    load_status: LoadStatus | None
    load_ended: datetime | None


class Store:
    """The way to the database. One for a process or a task; made before no fork."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._batches: Batches = SqliteBatches() if engine.dialect.name == "sqlite" else PostgresBatches()
        self._epoch: int | None = None

    @classmethod
    def open(cls, url: str, *, wait_seconds: float = 30) -> "Store":
        """A store; connects at first use. `wait_seconds`: longest wait for another writer. Raises OperatorError for a wrong URL."""
        parsed = parse_url(url)
        make_folder(parsed)
        return cls(connect(parsed, wait_seconds=wait_seconds))

    def close(self) -> None:
        """Closes the connections."""
        self.engine.dispose()

    def migrate(self) -> None:
        """Brings the database to this version's tables; one look where it is there already. Two may do it at once."""
        if self._revision() == tables.HEAD:
            return
        from mainstem.state.migrations.upgrade import upgrade

        with self._write() as connection:
            upgrade(connection, name_of(self.engine.url))

    def _revision(self) -> str | None:
        with self._read() as connection:
            if not self.engine.dialect.has_table(connection, "alembic_version"):
                return None
            revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            return revision

    @property
    def epoch(self) -> int:
        """Rises after a restore from a backup, so that events numbered again get other ids."""
        if self._epoch is None:
            with self._read() as connection:
                self._epoch = connection.execute(select(tables.mainstem.c.epoch)).scalar_one()
        return self._epoch

    def raise_epoch(self) -> int:
        """After a restore from a backup: the new epoch."""
        with self._write() as connection:
            connection.execute(update(tables.mainstem).values(epoch=tables.mainstem.c.epoch + 1))
            self._epoch = connection.execute(select(tables.mainstem.c.epoch)).scalar_one()
        return self._epoch

    # -- locks

    def refreshing(self, site: str) -> AbstractContextManager[None]:
        """The right to refresh a site, while the context lasts. Raises TemporaryError naming who has it."""
        return self._exclusive("refreshing", site)

    def publishing(self, site: str) -> AbstractContextManager[None]:
        """The right to publish a site's changes, while the context lasts. Raises TemporaryError naming who has it."""
        return self._exclusive("publishing", site)

    @contextmanager
    def _exclusive(self, task: str, site: str) -> Iterator[None]:
        lock = exclusive(self.engine, task, site)
        with translated(self.engine.url):
            lock.__enter__()
        try:
            yield
        finally:
            with translated(self.engine.url):
                lock.__exit__(None, None, None)

    # -- records

    def save(
        self,
        site: str,
        load: str,
        records: Sequence[Mapped],
        withdrawn: Sequence[tuple[bytes, int | None]],
        at: datetime,
    ) -> Saved:
        """Compares a batch with the state and stores what differs, in one transaction.

        All records of one source resource (one ref) must come in the same batch: a stored part that is not among them is withdrawn
        when the resource changed. `withdrawn` are refs entered in error, with their time; they win over records of the same time.
        """
        with self._write() as connection:
            batch = _Batch(
                self._batches, self._cursor(connection), site, load, _microseconds(at), _last_number(connection, site)
            )
            saved = batch.save(records, withdrawn)
            if batch.number > batch.first:
                connection.execute(
                    update(tables.site_state).where(tables.site_state.c.site == site).values(number=batch.number)
                )
                _add_to_tally(connection, site, batch.added)
        return saved

    def unrecognised(self, site: str, ids: Sequence[bytes], line_digests: Sequence[bytes]) -> list[int]:
        """Which of some lines, known by the ids of their records and their digests, did not give what is stored: their places."""
        with self._read() as connection:
            return self._batches.unrecognised(self._cursor(connection), site, ids, line_digests)

    def pending(self, site: str, *, after: int = 0, limit: int) -> list[Pending]:
        """Pending changes in their order, those after number `after`. Sweep from 0 again until none is left."""
        with self._read() as connection:
            after = max(after, _published_upto(connection, site))
            rows = self._batches.pending(self._cursor(connection), site, after, limit)
        moments = {changed: EPOCH_START + changed * MICROSECOND for changed in {row[-1] for row in rows}}
        return [Pending._make((*row[:-2], bool(row[-2]), moments[row[-1]])) for row in rows]

    def pending_count(self, site: str) -> tuple[int, datetime | None]:
        """How many changes wait, and since when the oldest does."""
        row = tables.record.c
        with self._read() as connection:
            count, oldest = connection.execute(
                select(func.count(), func.min(row.changed)).where(tables.pending(site))
            ).one()
        return count, None if oldest is None else EPOCH_START + oldest * MICROSECOND

    def mark_published(self, site: str, rows: Sequence[Pending], *, refused: Collection[int] = ()) -> int:
        """The broker has all changes from the first to the last of these, as `pending` gave them, but for `refused` numbers.

        A record that changed since stays pending. Returns how many were marked.
        """
        if not rows:
            return 0
        first, last = rows[0].number, rows[-1].number
        but = [number for number in refused if first <= number <= last]
        with self._write() as connection:
            marked = self._batches.mark(self._cursor(connection), site, first, last, but)
            _move_published(connection, site, first, min(but) - 1 if but else last)
        return marked

    # -- loads

    def start_load(self, site: str, *, mode: Mode, started: datetime, plan: dict[str, Any]) -> Load:
        """A new load. Raises OperatorError while another of the site is unfinished."""
        with self._write() as connection:
            if unfinished := _open_load(connection, site):
                raise OperatorError(
                    f"load {unfinished.id} is not finished", "Resume it, or abandon it: `mainstem run --fresh`."
                )
            stem = f"{site}/{started.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
            taken = set(
                connection.scalars(select(tables.load.c.id).where(tables.load.c.id.startswith(stem, autoescape=True)))
            )
            load_id = next(
                name for name in (stem, *(f"{stem}-{n}" for n in range(2, len(taken) + 3))) if name not in taken
            )
            connection.execute(
                insert(tables.load).values(
                    id=load_id, site=site, mode=mode, status="running", started=started, plan=plan, published=0
                )
            )
            return _load(connection, load_id)

    def open_load(self, site: str) -> Load | None:
        """The site's unfinished load."""
        with self._read() as connection:
            return _open_load(connection, site)

    def load(self, load_id: str) -> Load:
        """A load. Raises OperatorError where there is none."""
        with self._read() as connection:
            return _load(connection, load_id)

    def last_load(self, site: str) -> Load | None:
        """The site's newest load."""
        with self._read() as connection:
            row = connection.execute(
                select(*_LOAD)
                .where(tables.load.c.site == site)
                .order_by(tables.load.c.started.desc(), tables.load.c.id.desc())
                .limit(1)
            ).first()
        return None if row is None else Load(*row)

    def finish_load(
        self,
        load_id: str,
        status: Literal["failed", "abandoned"],
        ended: datetime,
        report: dict[str, Any] | None = None,
    ) -> None:
        """Ends a load that moves no watermark; a load that ended already stays as it is."""
        with self._write() as connection:
            _end(connection, load_id, status, ended, report)

    def record_counts(self, load_id: str, resource_type: str, counts: TypeCounts) -> None:
        """A type's figures; they replace those of an earlier attempt."""
        self._note(load_id, resource_type, {"counts": counts.model_dump()})

    def counts(self, load_id: str) -> dict[str, TypeCounts]:
        """A load's figures by resource type."""
        return {name: TypeCounts(**counts) for name, counts in self._noted(load_id, "counts").items()}

    def record_pulled(self, load_id: str, unit: str, pulled: dict[str, Any]) -> None:
        """What was pulled by a unit (a resource type, or `export`); it replaces that of an earlier attempt."""
        self._note(load_id, unit, {"pulled": pulled})

    def pulled(self, load_id: str) -> dict[str, dict[str, Any]]:
        """What was pulled, by unit."""
        return self._noted(load_id, "pulled")

    def any_pulled(self, load_id: str) -> bool:
        """Whether any unit was pulled whole."""
        return any(pulled.get("complete") for pulled in self.pulled(load_id).values())

    def add_published(self, load_id: str, events: int) -> None:
        """So many more events were acknowledged in this load."""
        row = tables.load
        with self._write() as connection:
            connection.execute(update(row).where(row.c.id == load_id).values(published=row.c.published + events))

    def _note(self, load_id: str, name: str, values: dict[str, Any]) -> None:
        row = tables.load_type
        with self._write() as connection:
            this = (row.c.load == load_id, row.c.resource_type == name)
            if not connection.execute(update(row).where(*this).values(values)).rowcount:
                connection.execute(insert(row).values(load=load_id, resource_type=name, **values))

    def _noted(self, load_id: str, column: str) -> dict[str, Any]:
        row = tables.load_type.c
        with self._read() as connection:
            noted = connection.execute(
                select(row.resource_type, row[column]).where(row.load == load_id, row[column].is_not(None))
            )
            return {row[0]: row[1] for row in noted}

    def prove(self, load_id: str, watermarks: Mapping[str, datetime], ended: datetime) -> None:
        """Raises OperatorError where `complete` with these watermarks would; changes nothing."""
        with self._read() as connection:
            _prove(connection, _load(connection, load_id), watermarks, ended)

    def complete(
        self,
        load_id: str,
        watermarks: Mapping[str, datetime],
        ended: datetime,
        report: dict[str, Any] | None = None,
        *,
        gaps: Iterable[Gap] = (),
        status: Literal["completed", "failed"] = "completed",
    ) -> dict[str, datetime]:
        """Ends a load in one transaction: moves watermarks, closes the gaps of their types, opens `gaps`. Returns the watermarks.

        Raises OperatorError, and changes nothing, when the figures of a type do not add up, a watermark has no figures or lies after
        `ended`, or changes of the load are not published. A watermark never moves back. A load completed already stays as it is.
        """
        with self._write() as connection:
            load = _load(connection, load_id)
            if load.status == "running":
                if status == "completed":
                    _prove(connection, load, watermarks, ended)
                for name, value in watermarks.items():
                    _move_watermark(connection, load.site, name, value, load_id)
                    _close_gaps(connection, load.site, name, ended)
                for gap in gaps:
                    _open_gap(connection, load.site, gap, ended)
                _release_quarantine(connection, load, watermarks)
                _end(connection, load_id, status, ended, report)
            elif load.status != status:
                raise OperatorError(f"load {load_id} is {load.status}", "Start a new one: `mainstem run`.")
            return _watermarks(connection, load.site)

    # -- watermarks, gaps, quarantine

    def watermarks(self, site: str, now: datetime | None = None) -> dict[str, datetime]:
        """Up to when each resource type is complete. With `now`, raises OperatorError for one that lies in the future."""
        with self._read() as connection:
            found = _watermarks(connection, site)
        for name, value in found.items():
            if now is not None and value > now:
                raise OperatorError(
                    f"{site}: the watermark of {name} lies in the future",
                    f"Correct the clock, or read {name} anew: `mainstem run --full`.",
                )
        return found

    def forget_watermark(self, site: str, resource_type: str) -> None:
        """An operator's act: the type is read from the beginning next time."""
        row = tables.watermark
        with self._write() as connection:
            connection.execute(delete(row).where(row.c.site == site, row.c.resource_type == resource_type))

    def gaps(self, site: str) -> list[Gap]:
        """The open gaps of a site."""
        with self._read() as connection:
            return [gap for _, gap in _open_gaps(connection, site)]

    def open_gap(self, site: str, gap: Gap, at: datetime) -> None:
        """A window that could not be read. Of the same type and beginning there is one: its end and reason are renewed."""
        with self._write() as connection:
            _open_gap(connection, site, gap, at)

    def close_gaps(self, site: str, resource_type: str, at: datetime) -> int:
        """What was missing has been read. Returns how many gaps were closed."""
        with self._write() as connection:
            return _close_gaps(connection, site, resource_type, at)

    def quarantine(self, load_id: str, site: str, items: Iterable[tuple[str, bytes, str, str, str, int]]) -> None:
        """Notes resources that gave no record (fields of `Quarantined`); the same ones again, by a map step run again, are noted once."""
        names = Quarantined._fields
        rows = [{"load": load_id, "site": site, **dict(zip(names, item, strict=True))} for item in items]
        if not rows:
            return
        statement = insert(tables.quarantine)
        with self._write() as connection:
            if self.engine.dialect.name == "sqlite":
                statement = statement.prefix_with("OR IGNORE")
                connection.execute(statement, rows)
            else:
                from sqlalchemy.dialects.postgresql import insert as insert_new

                connection.execute(insert_new(tables.quarantine).on_conflict_do_nothing(), rows)

    def quarantined(self, site: str, load_id: str | None = None) -> Iterator[Quarantined]:
        """What is in quarantine, of one load or of all."""
        row = tables.quarantine.c
        wanted = select(*(row[name] for name in Quarantined._fields)).where(row.site == site)
        if load_id is not None:
            wanted = wanted.where(row.load == load_id)
        with self._read() as connection:
            for found in connection.execution_options(yield_per=2000).execute(
                wanted.order_by(row.load, row.file, row.line)
            ):
                yield Quarantined(*found)

    # -- status

    def sites(self) -> list[str]:
        """The sites this store knows."""
        with self._read() as connection:
            found = connection.scalars(select(tables.load.c.site).union(select(tables.site_state.c.site)))
            return sorted(found)

    def status(self, site: str | None = None) -> list[SiteType]:
        """Every site and resource type, or those of one site."""
        rows: list[SiteType] = []
        for name in [site] if site is not None else self.sites():
            rows += self._status_of(name)
        return rows

    def _status_of(self, site: str) -> list[SiteType]:
        load = self.last_load(site)
        with self._read() as connection:
            watermarks = _watermarks(connection, site)
            gaps = [gap for _, gap in _open_gaps(connection, site)]
            records = _pairs(
                connection, select(tables.tally.c.type, tables.tally.c.records).where(tables.tally.c.site == site)
            )
            pending = _pending_by_type(connection, site)
            quarantined = _quarantined_by_reason(connection, site)
            noted = (
                connection.scalars(
                    select(tables.load_type.c.resource_type).where(
                        tables.load_type.c.load == load.id, tables.load_type.c.counts.is_not(None)
                    )
                )
                if load
                else ()
            )
            names = {*noted, *watermarks, *(gap.resource_type for gap in gaps), *(name for name, _ in quarantined)}
        known = {_record_type(name) for name in names}
        for kind in {*records, *pending} - known:
            names |= {*fhir_types_of(kind)} or {kind}
        return [
            SiteType(
                site=site,
                resource_type=name,
                record_type=_record_type(name),
                watermark=watermarks.get(name),
                records=records.get(_record_type(name), 0),
                pending=pending.get(_record_type(name), (0, None))[0],
                oldest_pending=pending.get(_record_type(name), (0, None))[1],
                gaps=[gap for gap in gaps if gap.resource_type == name],
                quarantined={reason: count for (kind, reason), count in quarantined.items() if kind == name},
                load=load.id if load else None,
                load_status=load.status if load else None,
                load_ended=load.ended if load else None,
            )
            for name in sorted(names)
        ]

    # -- connections

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        """One transaction; on SQLite it is the only one that writes."""
        with translated(self.engine.url), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        """A transaction that waits for no writer."""
        with translated(self.engine.url), self.engine.connect() as connection:
            yield connection.execution_options(**READS)

    def _cursor(self, connection: Connection) -> Any:
        """The driver's own cursor, inside the connection's transaction."""
        if not connection.in_transaction():
            connection.begin()
        driver: Any = connection.connection.driver_connection
        cursor = driver.cursor() if self.engine.dialect.name == "sqlite" else driver.cursor(binary=True)
        self._batches.prepare(cursor)
        return cursor


# -- one batch -------------------------------------------------------------------------------------------------------


class _Batch:
    """One call of `save`, inside its transaction."""

    def __init__(self, batches: Batches, cursor: Any, site: str, load: str, at: int, number: int) -> None:
        self._batches, self._cursor = batches, cursor
        self._site, self._load, self._at = site, load, at
        self.first = self.number = number
        """Number of the site's last change, before and now."""
        self.added: dict[str, int] = {}
        """Records more or fewer, by type."""
        self._recorded = self._amended = self._withdrawn = 0

    def save(self, records: Sequence[Mapped], withdrawn: Sequence[tuple[bytes, int | None]]) -> Saved:
        given = len(records)
        records, doubles = _newest_versions(records)
        stale = unchanged = 0
        if records:
            digests = [_digest(record.content) for record in records]
            if not self._batches.any_known(self._cursor, records):
                self._insert(list(zip(records, digests, strict=True)))
            else:
                differences = self._batches.differences(self._cursor, self._site, records, digests)
                stale, same = self._store(records, digests, differences)
                unchanged = len(records) - len(differences) + same
        if withdrawn:
            self._withdraw(withdrawn)
        unchanged += doubles
        stale += given - len(records) - doubles
        return Saved(self._recorded, self._amended, unchanged, self._withdrawn, stale)

    def _store(
        self, records: Sequence[Mapped], digests: Sequence[bytes], differences: Sequence[Difference]
    ) -> tuple[int, int]:
        """Writes what differs. Returns how many records are stale and how many have the same content."""
        new: list[Digested] = []
        differing: list[tuple[Mapped, Difference]] = []
        newer: list[Mapped] = []
        same = 0
        old: set[bytes] = set()
        for found in differences:
            record = records[found.place]
            if found.site is None:
                new.append((record, digests[found.place]))
            elif found.site != self._site:
                raise OperatorError(
                    f"{self._site} and {found.site} gave records of the same id",
                    "Two sites share a subject key; give each its own.",
                )
            elif found.same:
                same += 1
                if not _older(record.updated, found.updated):
                    newer.append(record)
            elif _older(record.updated, found.updated):
                old.add(record.id[:REF_BYTES])
            else:
                differing.append((record, found))
        stale = len(differences) - same - len(new) - len(differing)
        if old:  # an old version's parts may be unknown, but they are as old as the whole
            fresh = [pair for pair in new if pair[0].id[:REF_BYTES] not in old]
            current = [pair for pair in differing if pair[0].id[:REF_BYTES] not in old]
            stale += len(new) - len(fresh) + len(differing) - len(current)
            new, differing = fresh, current
        if new:
            self._insert(new)
        if newer:
            self._batches.touch(self._cursor, newer)
        if differing:
            self._amend(differing, digests, {record.id for record in records})
        return stale, same

    def _insert(self, records: Sequence[Digested]) -> None:
        self._batches.insert(self._cursor, self._site, self._load, self._at, records, self.number)
        self.number += len(records)
        self._recorded += len(records)
        for record, _ in records:
            self.added[record.type] = self.added.get(record.type, 0) + 1

    def _amend(
        self,
        differing: Sequence[tuple[Mapped, Difference]],
        digests: Sequence[bytes],
        given: Collection[bytes],
    ) -> None:
        changes = []
        times: dict[bytes, int | None] = {}
        for record, found in differing:
            self.number += 1
            times[record.id[:REF_BYTES]] = record.updated
            # An unknown time tells nothing: the known one goes on guarding against older versions.
            updated = found.updated if record.updated is None else record.updated
            digest = digests[found.place]
            changes.append(
                Changed(record.id, digest, record.line_digest, record.content, record.provenance, updated, self.number)
            )
            if found.withdrawn:
                self._recorded += 1
                self.added[record.type] = self.added.get(record.type, 0) + 1
            else:
                self._amended += 1
        self._batches.change(self._cursor, self._load, self._at, changes)
        self._withdraw(list(times.items()), given)

    def _withdraw(self, refs: Sequence[tuple[bytes, int | None]], keep: Collection[bytes] = ()) -> None:
        """All records of some source resources, but for `keep` and those that are newer."""
        times: dict[bytes, int | None] = {}
        for ref, updated in refs:
            if ref not in times or not _older(updated, times[ref]):
                times[ref] = updated
        changes = []
        for part in self._batches.parts(self._cursor, self._site, list(times)):
            updated = times[part.id[:REF_BYTES]]
            if part.id in keep or _older(updated, part.updated):
                continue
            self.number += 1
            changes.append(
                Changed(
                    part.id,
                    EMPTY_DIGEST,
                    NO_LINE,
                    None,
                    None,
                    part.updated if updated is None else updated,
                    self.number,
                )
            )
            self.added[part.type] = self.added.get(part.type, 0) - 1
        if changes:
            self._batches.change(self._cursor, self._load, self._at, changes)
            self._withdrawn += len(changes)


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=DIGEST_BYTES).digest()


def _older(updated: int | None, known: int | None) -> bool:
    return updated is not None and known is not None and updated < known


def _newest_versions(records: Sequence[Mapped]) -> tuple[Sequence[Mapped], int]:
    """The batch with one version of each resource, the newest, of equals the last; and how many left out have the kept content."""
    if len({record.id for record in records}) == len(records):
        return records, 0
    versions: dict[bytes, list[Mapped]] = {}
    open_versions: dict[bytes, list[Mapped]] = {}
    for record in records:
        ref = record.id[:REF_BYTES]
        version = open_versions.get(ref)
        if version is None or any(part.id == record.id for part in version):
            version = open_versions[ref] = []
        version.append(record)
        kept = versions.get(ref)
        if kept is None or not _older(record.updated, kept[0].updated):
            versions[ref] = version
    newest = [record for version in versions.values() for record in version]
    contents = {record.id: record.content for record in newest}
    alike = sum(contents.get(record.id) == record.content for record in records) - len(newest)
    return newest, alike


def _last_number(connection: Connection, site: str) -> int:
    """Locks the site's row and returns the number of its last change; saves of one site come one after the other."""
    row = tables.site_state
    wanted = select(row.c.number).where(row.c.site == site).with_for_update()
    number: int | None = connection.execute(wanted).scalar()
    if number is None:
        from_nothing = "INSERT INTO site_state (site, number) VALUES (:site, 0) ON CONFLICT (site) DO NOTHING"
        connection.execute(text(from_nothing), {"site": site})
        number = connection.execute(wanted).scalar_one()
    return number


def _published_upto(connection: Connection, site: str) -> int:
    row = tables.published.c
    return connection.execute(select(row.number).where(row.site == site)).scalar() or 0


def _move_published(connection: Connection, site: str, first: int, last: int) -> None:
    """The numbers from `first` to `last` are published, so all up to `last` are, unless one before them waits."""
    row = tables.record.c
    before = select(row.number).where(tables.pending(site), row.number < first).order_by(row.number).limit(1)
    if last >= first and connection.execute(before).first() is None:
        connection.execute(_PUBLISHED, {"site": site, "number": last})


_PUBLISHED = text(
    "INSERT INTO published (site, number) VALUES (:site, :number)"
    " ON CONFLICT (site) DO UPDATE SET number = excluded.number WHERE published.number < excluded.number"
)
_ADD = text(
    "INSERT INTO tally (site, type, records) VALUES (:site, :type, :count)"
    " ON CONFLICT (site, type) DO UPDATE SET records = tally.records + excluded.records"
)


def _add_to_tally(connection: Connection, site: str, added: Mapping[str, int]) -> None:
    for kind, count in added.items():
        connection.execute(_ADD, {"site": site, "type": kind, "count": count})


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH_START) // MICROSECOND


# -- loads, watermarks, gaps -----------------------------------------------------------------------------------------

_LOAD = [tables.load.c[name] for name in Load._fields]


def _load(connection: Connection, load_id: str) -> Load:
    row = connection.execute(select(*_LOAD).where(tables.load.c.id == load_id)).first()
    if row is None:
        raise OperatorError(f"there is no load {load_id}", "`mainstem status` shows each site's last load.")
    return Load(*row)


def _open_load(connection: Connection, site: str) -> Load | None:
    row = connection.execute(
        select(*_LOAD).where(tables.load.c.site == site, tables.load.c.status == "running")
    ).first()
    return None if row is None else Load(*row)


def _end(connection: Connection, load_id: str, status: str, ended: datetime, report: dict[str, Any] | None) -> None:
    row = tables.load
    connection.execute(
        update(row)
        .where(row.c.id == load_id, row.c.status == "running")
        .values(status=status, ended=ended, report=report)
    )


def _prove(connection: Connection, load: Load, watermarks: Mapping[str, datetime], ended: datetime) -> None:
    row = tables.load_type.c
    noted = connection.execute(
        select(row.resource_type, row.counts).where(row.load == load.id, row.counts.is_not(None))
    )
    counts = {name: TypeCounts(**values) for name, values in noted}
    for name, figures in counts.items():
        if not figures.adds_up():
            raise _unproven(load, f"the figures of {name} do not add up", "This is a defect; please report it.")
    for name, value in watermarks.items():
        if name not in counts:
            raise _unproven(
                load, f"{name} has no figures, so its watermark may not move", "Run the map step of this load."
            )
        if value > ended:
            raise _unproven(
                load, f"the watermark of {name} lies in the future", "Correct the clock of this machine or of the EHR."
            )
    state = tables.record.c
    waiting = connection.execute(
        select(func.count()).where(tables.pending(load.site), state.load == load.id)
    ).scalar_one()
    if waiting:
        raise _unproven(load, f"{waiting} changes are not published", "Run the publish step of this load.")


def _unproven(load: Load, cause: str, fix: str) -> MainstemError:
    return OperatorError(f"load {load.id} cannot be completed: {cause}", fix)


def _watermarks(connection: Connection, site: str) -> dict[str, datetime]:
    row = tables.watermark.c
    return _pairs(connection, select(row.resource_type, row.value).where(row.site == site))


def _move_watermark(connection: Connection, site: str, resource_type: str, value: datetime, load_id: str) -> None:
    row = tables.watermark
    this = (row.c.site == site, row.c.resource_type == resource_type)
    stored = connection.execute(select(row.c.value).where(*this)).scalar()
    if stored is None:
        connection.execute(insert(row).values(site=site, resource_type=resource_type, value=value, load=load_id))
    elif value > stored:
        connection.execute(update(row).where(*this).values(value=value, load=load_id))


def _open_gaps(connection: Connection, site: str) -> list[tuple[int, Gap]]:
    row = tables.gap.c
    found = connection.execute(
        select(row.id, row.resource_type, row.since, row.until, row.reason)
        .where(row.site == site, row.closed.is_(None))
        .order_by(row.resource_type, row.id)
    )
    return [
        (number, Gap(resource_type=name, since=since, until=until, reason=reason))
        for number, name, since, until, reason in found
    ]


def _open_gap(connection: Connection, site: str, gap: Gap, at: datetime) -> None:
    row = tables.gap
    for number, known in _open_gaps(connection, site):
        if (known.resource_type, known.since) == (gap.resource_type, gap.since):
            connection.execute(update(row).where(row.c.id == number).values(until=gap.until, reason=gap.reason))
            return
    connection.execute(insert(row).values(site=site, opened=at, **gap.model_dump()))


def _close_gaps(connection: Connection, site: str, resource_type: str, at: datetime) -> int:
    row = tables.gap
    this = (row.c.site == site, row.c.resource_type == resource_type, row.c.closed.is_(None))
    return connection.execute(update(row).where(*this).values(closed=at)).rowcount


def _release_quarantine(connection: Connection, load: Load, types: Collection[str]) -> None:
    """What earlier loads could not use and this one read anew: all of a type by a full load, else what came again and is noted again."""
    row, again = tables.quarantine, tables.quarantine.alias()
    earlier = delete(row).where(row.c.site == load.site, row.c.load != load.id)
    if load.mode == "full" and types:
        connection.execute(earlier.where(row.c.resource_type.in_(types)))
    else:
        same = (
            again.c.load == load.id,
            again.c.resource_type == row.c.resource_type,
            again.c.ref == row.c.ref,
            again.c.ref != b"",
        )
        connection.execute(earlier.where(exists().where(*same)))


# -- status ----------------------------------------------------------------------------------------------------------


def _pairs(connection: Connection, statement: Any) -> dict[str, Any]:
    return {row[0]: row[1] for row in connection.execute(statement)}


def _record_type(resource_type: str) -> str:
    """What the type becomes; a record type that no FHIR type feeds stands for itself."""
    return record_type_of(resource_type) or resource_type


def _pending_by_type(connection: Connection, site: str) -> dict[str, tuple[int, datetime]]:
    row = tables.record.c
    found = connection.execute(
        select(row.type, func.count(), func.min(row.changed)).where(tables.pending(site)).group_by(row.type)
    )
    return {kind: (count, EPOCH_START + oldest * MICROSECOND) for kind, count, oldest in found}


def _quarantined_by_reason(connection: Connection, site: str) -> dict[tuple[str, str], int]:
    row = tables.quarantine.c
    found = connection.execute(
        select(row.resource_type, row.reason, func.count())
        .where(row.site == site)
        .group_by(row.resource_type, row.reason)
    )
    return {(name, reason): count for name, reason, count in found}
