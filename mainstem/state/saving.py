"""What a batch of records does to the state: compared with what is stored, numbered, written where it differs."""

import re
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from mainstem.outbox import SOURCE_UNUSABLE
from mainstem.state.batch import Batch, Saved
from mainstem.state.batches import Batches, Changed, Difference, Digested, LiveRecord
from mainstem.state.digests import EMPTY_DIGEST, digest_of
from mainstem.state.keys import Move
from schemas.errors import OperatorError
from transforms.mapped import ID_BYTES, NO_LINE, REF_BYTES, SAYS_NOTHING, Mapped

_PORTION = 4_000
"""Of very many records so many are changed at once."""
_UNKNOWN = -(1 << 63)
"""A time that nobody told, in an array of times."""
_SAYS_NOTHING = b'"%b"' % SAYS_NOTHING.encode()


def _none(_id: bytes) -> bool:
    return False


class Saving:
    """One batch of a site's records, inside the transaction that holds the site's row."""

    def __init__(self, batches: Batches, cursor: Any, site: str, load: str, at: int, number: int) -> None:
        self._batches, self._cursor = batches, cursor
        self._site, self._load, self._at = site, load, at
        self.first = self.number = number
        """Number of the site's last change, before and now."""
        self.moves: list[Move] = []
        """Records that go over to another subject; the caller moves them."""
        self.read_again: set[bytes] = set()
        """Refs of stored resources that came anew, in another state or from another line."""
        self.stale: set[bytes] = set()
        """Refs of resources that came in an older state."""
        self.added: Counter[str] = Counter()
        """Records more or fewer, by type."""
        self._unusable: set[bytes] = set()
        self._alone: set[bytes] = set()
        self._old: set[bytes] = set()
        self._recorded = self._amended = self._withdrawn = self._source_unusable = self._unchanged = self._stale = 0

    def begin(self, batch: Batch) -> None:
        """What is to be known of a batch before its records are stored."""
        self._unusable = {*batch.in_part, *(ref for ref, _ in batch.unusable)}
        self._alone = {ref for ref, _ in batch.alone}
        self._old = self._outdated(batch.alone)

    def store(self, given: Sequence[Mapped]) -> None:
        """A batch's records, or a portion of them in which none of `alone` stands twice."""
        records = given
        if self._old:
            records = [record for record in given if record.id[:REF_BYTES] not in self._old]
        records, doubles = _newest_versions(records)
        if records:
            digests = [digest_of(record.content) for record in records]
            if not self._batches.any_known(self._cursor, records):
                self._insert(list(zip(records, digests, strict=True)))
            else:
                differences = self._batches.differences(self._cursor, self._site, records, digests)
                stale, same = self._store(records, digests, differences)
                self._stale += stale
                self._unchanged += len(records) - len(differences) + same
        self._unchanged += doubles
        self._stale += len(given) - len(records) - doubles

    def end(
        self, batch: Batch, withdrawn: Sequence[tuple[bytes, int | None]], left_out: Collection[bytes] = ()
    ) -> Saved:
        """What goes, once all that came is stored but for what was left out of it."""
        if batch.alone:
            listed = {record.id for record in batch.records if record.id[:REF_BYTES] in self._alone}.difference(
                left_out
            )
            gone = [each for each in batch.alone if each[0] not in self._old]
            alike = [each for each in batch.alike if each.ref not in self._old]
            self._withdraw(
                gone, lambda id_: id_ in listed or (id_ not in left_out and any(each.has(id_) for each in alike))
            )
        for refs in (withdrawn, batch.unusable):
            if refs:
                self.read_again.update(ref for ref, _ in refs)
                self._withdraw(refs)
        return Saved(
            *(self._recorded, self._amended, self._unchanged, self._withdrawn, self._stale, self._source_unusable)
        )

    def _outdated(self, alone: Sequence[tuple[bytes, int | None]]) -> set[bytes]:
        """Those of which records of a newer version are stored: no record stands for the whole to tell it."""
        times = {ref: updated for ref, updated in alone if updated is not None}
        if not times:
            return set()
        stored = self._batches.parts(self._cursor, self._site, list(times))
        return {part.id[:REF_BYTES] for part in stored if _older(times[part.id[:REF_BYTES]], part.updated)}

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
                if _older(record.updated, found.updated):
                    self.stale.add(record.id[:REF_BYTES])
                else:
                    newer.append(record)
            elif _older(record.updated, found.updated):
                old.add(record.id[:REF_BYTES])
            elif _SAYS_NOTHING in record.provenance and not found.withdrawn:
                same += 1
            else:
                differing.append((record, found))
        if late := self._earlier_versions(differing):
            old |= late
            differing = [pair for pair in differing if pair[0].id[:REF_BYTES] not in late]
        stale = len(differences) - same - len(new) - len(differing)
        if old:  # an old version's parts may be unknown, but they are as old as the whole
            fresh = [pair for pair in new if pair[0].id[:REF_BYTES] not in old]
            current = [pair for pair in differing if pair[0].id[:REF_BYTES] not in old]
            stale += len(new) - len(fresh) + len(differing) - len(current)
            new, differing = fresh, current
        if new:
            self._insert(new)
        self.stale |= old
        if newer:
            self._touch(newer, {record.id for record in records})
        if differing:
            self._amend(differing, digests, {record.id for record in records})
        return stale, same

    def _earlier_versions(self, differing: Sequence[tuple[Mapped, Difference]]) -> set[bytes]:
        """Those that stand already in a version of a greater number and of the same time: then the number decides."""
        timed = {
            record.id: int(version[1])
            for record, found in differing
            if record.updated is not None and record.updated == found.updated and not found.withdrawn
            if (version := _VERSION.search(record.provenance))
        }
        known = self._batches.provenances(self._cursor, list(timed)) if timed else {}
        stored = {id_: version for id_, said in known.items() if (version := _VERSION.search(said))}
        return {id_[:REF_BYTES] for id_, version in stored.items() if int(version[1]) > timed[id_]}

    def _insert(self, records: Sequence[Digested]) -> None:
        self._batches.insert(self._cursor, self._site, self._load, self._at, records, self.number)
        self.number += len(records)
        self._recorded += len(records)
        self.added.update(record.type for record, _ in records)

    def _touch(self, newer: Sequence[Mapped], given: Collection[bytes]) -> None:
        """The same content from another line: a part it had may be gone, where the whole does not name its parts."""
        self._batches.touch(self._cursor, newer)
        self._withdraw_others({record.id[:REF_BYTES]: record.updated for record in newer}, given)

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
            if found.subject is not None and found.subject != record.subject:
                self.moves.append(Move(record.id, found.subject, record.subject, None, self.number))
            changes.append(
                Changed(record.id, digest, record.line_digest, record.content, record.provenance, updated, self.number)
            )
            if found.withdrawn:
                self._recorded += 1
                self.added[record.type] += 1
            else:
                self._amended += 1
        self._batches.change(self._cursor, self._load, self._at, changes)
        self._withdraw_others(times, given)

    def _withdraw_others(self, times: dict[bytes, int | None], given: Collection[bytes]) -> None:
        """What resources had that came again; of those alone that is told at the end."""
        self.read_again.update(times)
        self._withdraw([each for each in times.items() if each[0] not in self._alone], given.__contains__)

    def _withdraw(self, refs: Sequence[tuple[bytes, int | None]], keep: Callable[[bytes], bool] = _none) -> None:
        """All records of some source resources, but for those to `keep` and those that are newer."""
        times: dict[bytes, int | None] = {}
        for ref, updated in refs:
            if ref not in times or not _older(updated, times[ref]):
                times[ref] = updated
        if not times:
            return
        gone = _Gone()
        for part in self._batches.parts(self._cursor, self._site, list(times)):
            updated = times[part.id[:REF_BYTES]]
            if not (keep(part.id) or _older(updated, part.updated)):
                gone.add(part, part.updated if updated is None else updated)
                self.added[part.type] -= 1
                self._source_unusable += part.id[:REF_BYTES] in self._unusable
        for some in gone.portions():
            changes = [
                Changed(id_, EMPTY_DIGEST, NO_LINE, None, self._why(id_), updated, number)
                for number, (id_, updated) in enumerate(some, start=self.number + 1)
            ]
            self.number += len(changes)
            self._batches.change(self._cursor, self._load, self._at, changes)
            self._withdrawn += len(changes)

    def _why(self, id_: bytes) -> bytes | None:
        return SOURCE_UNUSABLE if id_[:REF_BYTES] in self._unusable else None


class _Gone:
    """Records to withdraw: of very many, too, only what must be held."""

    def __init__(self) -> None:
        self._ids, self._times = bytearray(), array("q")

    def add(self, part: LiveRecord, updated: int | None) -> None:
        """One of them, with the time it is told by."""
        self._ids += part.id
        self._times.append(_UNKNOWN if updated is None else updated)

    def portions(self) -> Iterator[list[tuple[bytes, int | None]]]:
        """Their ids and times, some at a time."""
        for start in range(0, len(self._times), _PORTION):
            places = range(start, min(start + _PORTION, len(self._times)))
            yield [(self._id(place), None if (at := self._times[place]) == _UNKNOWN else at) for place in places]

    def _id(self, place: int) -> bytes:
        return bytes(self._ids[place * ID_BYTES : (place + 1) * ID_BYTES])


def _older(updated: int | None, known: int | None) -> bool:
    return updated is not None and known is not None and updated < known


def _newest_versions(records: Sequence[Mapped]) -> tuple[Sequence[Mapped], int]:
    """The batch with one version of each resource, the newest; and how many left out have the kept content.

    Of those of one time the one whose version is the greater number; where that is not told, the last.
    """
    if len({record.id for record in records}) == len(records):
        return records, 0
    versions: dict[bytes, list[Mapped]] = {}
    open_versions: dict[bytes, tuple[list[Mapped], set[bytes]]] = {}
    for record in records:
        ref = record.id[:REF_BYTES]
        version, ids = open_versions.get(ref, ([], set()))
        if record.id in ids:
            version, ids = [], set()
        open_versions[ref] = version, ids
        version.append(record)
        ids.add(record.id)
        kept = versions.get(ref)
        says_nothing = _SAYS_NOTHING in record.provenance
        if kept is None or not (says_nothing or _supersedes(kept[0], record)):
            versions[ref] = version
    newest = [record for version in versions.values() for record in version]
    contents = {record.id: record.content for record in newest}
    alike = sum(contents.get(record.id) == record.content for record in records) - len(newest)
    return newest, alike


_VERSION = re.compile(rb'"version":"([0-9]+)"')


def _supersedes(kept: Mapped, other: Mapped) -> bool:
    """Whether what is kept of a resource is a newer version than another."""
    if kept.updated != other.updated:
        return _older(other.updated, kept.updated)
    ours, theirs = (_VERSION.search(record.provenance) for record in (kept, other))
    return ours is not None and theirs is not None and int(ours[1]) > int(theirs[1])
