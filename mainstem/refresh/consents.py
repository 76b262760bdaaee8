"""Subjects who withdrew, where lines are read: of them nothing is landed or mapped, and the landing is purged of whom it must forget.

Two things are read of them all the same: their Consent, by which they may give it again; and of their Patient with whom they were merged,
for who is the same person is left out as well.
"""

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import msgspec
import structlog

from connectors.cohort import ROSTER, Roster, whose
from connectors.fan_out import EVERYBODY
from connectors.formats.ndjson import read_batches
from connectors.landing import Landing
from connectors.outside.decoding import Unreadable, decoded
from connectors.pulled import Pulled
from connectors.source import Sift
from mainstem.refresh.opening import Refresh
from schemas.problems import Problem
from transforms.privacy.pseudonyms import Pseudonyms

log = structlog.get_logger()
PATIENT, CONSENT = "Patient", "Consent"
_ABOUT_MERGES = ("resourceType", "id", "meta", "active", "link")
_MERGED = b"replace"
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_UNREADABLE = b"{\n"
"""Stands for a line that could not be read, and is counted as such."""


def open_lines(refresh: Refresh, resource_type: str) -> Callable[[bytes], bool] | None:
    """Whether a line is of nobody who withdrew; None where nobody did, or where they are asked what they say now."""
    stopped = refresh.store.consents.stopped(refresh.site.site)
    if not stopped or resource_type == CONSENT:
        return None
    is_one = _is_one_of(refresh, stopped)
    return lambda line: not is_one(resource_type, line)


class Sifting:
    """What may be landed of lines; counts what may not."""

    def __init__(self, is_one: Callable[[str, bytes], bool]) -> None:
        self._is_one = is_one
        self.left_out = 0

    def __call__(self, resource_type: str, line: bytes) -> bytes | None:
        if resource_type == CONSENT or not self._is_one(resource_type, line):
            return line
        left = _merges_of(line) if resource_type == PATIENT and _MERGED in line else None
        self.left_out += left is None
        return left

    def sifted(self, landing: Landing, pulled: Pulled, *, cap: int) -> Pulled:
        """What a unit landed, by roads that land files whole, without what may not be; how much was left out is noted."""
        left_out = self.left_out + sift_landed(landing, pulled.files, self, cap=cap)
        if not left_out:
            return pulled
        note = f"{pulled.unit}: {left_out} resources of patients who withdrew consent were left out"
        return msgspec.structs.replace(pulled, notes=[*pulled.notes, note])


def sift(refresh: Refresh, stopped: Collection[bytes]) -> Sifting | None:
    """For a pull, by those who withdrew; None where nobody did."""
    return Sifting(_is_one_of(refresh, stopped)) if stopped else None


def sift_landed(landing: Landing, names: Collection[str], sifted: Sift, *, cap: int) -> int:
    """Leaves of landed files what may be landed; returns how many lines went or were cut."""
    paths = [path for path in landing.files("*") if path.name in names]
    return sum(_rewrite(landing, path, path.name.partition("-")[0], sifted, cap) for path in paths)


def purge(refresh: Refresh, *, but: str = "") -> int:
    """Removes lines of whom is to be forgotten from all that was landed, `but` of a load under way; returns how many."""
    site = refresh.site.site
    if not (gone := refresh.store.consents.unpurged(site)):
        return 0
    loads, cap = refresh.landing_zone.loads(), refresh.site.limits.line_bytes
    forgetting = _Forgetting(refresh, gone)
    lines = 0
    for load, landing in loads:
        if load != but:
            lines += sift_landed(landing, {path.name for path in landing.files("*")}, forgetting, cap=cap)
            lines += sum(_rewrite(landing, path, name, forgetting, cap) for name, path in landing.quarantined())
            _forget_members(refresh, landing, gone)
    refresh.store.quarantine.forget(site, forgetting.refs)
    if but not in {load for load, _ in loads}:
        refresh.store.consents.purged(site, gone, refresh.clock())
    log.info("landing purged", site=site, subjects=len(gone), lines=lines)
    return lines


class _Forgetting:
    """What is left of a landed line when nobody of some subjects may be in it; collects the refs of what goes."""

    def __init__(self, refresh: Refresh, gone: Collection[bytes]) -> None:
        pseudonyms = Pseudonyms(refresh.secrets(refresh.site.subject_key))
        self._subject_of, self._ref_of = lru_cache(100_000)(pseudonyms.subject), pseudonyms.ref
        self._gone = gone
        self.refs: set[bytes] = set()

    def __call__(self, resource_type: str, line: bytes) -> bytes | None:
        patient = whose(resource_type, line)
        if patient and self._subject_of(patient) in self._gone:
            self._note(line)
            return None
        if resource_type == PATIENT:
            return line  # who is the same person is forgotten, too
        mentioned = {match[1].decode() for match in _MENTIONED.finditer(line)}
        theirs = {each for each in mentioned if self._subject_of(each) in self._gone}
        if not theirs:
            return line
        try:
            members = decoded(line, _MEMBERS)
        except Unreadable:
            return None  # nobody can use it, and it speaks of somebody who is forgotten
        return msgspec.json.encode({name: _without(raw, theirs) for name, raw in members.items()})

    def _note(self, line: bytes) -> None:
        with suppress(Unreadable):
            said = decoded(line, _NAMED)
            if said.type and said.id:
                self.refs.add(self._ref_of(said.type, said.id))


class _Named(msgspec.Struct, rename={"type": "resourceType"}):
    type: str | None = None
    id: str | None = None


_NAMED = msgspec.json.Decoder(_Named)
_ENTRIES = msgspec.json.Decoder(list[msgspec.Raw])
_MENTIONED = re.compile(rb"Patient/([A-Za-z0-9.-]{1,64})")


def _without(raw: msgspec.Raw, patients: Collection[str]) -> msgspec.Raw:
    """A list (of members, of those who take part) without the entries that name one of these."""
    if not bytes(raw).lstrip().startswith(b"["):
        return raw
    kept = [
        each
        for each in decoded(raw, _ENTRIES)
        if not any(match[1].decode() in patients for match in _MENTIONED.finditer(bytes(each)))
    ]
    return msgspec.Raw(msgspec.json.encode(kept))


def _is_one_of(refresh: Refresh, subjects: Collection[bytes]) -> Callable[[str, bytes], bool]:
    """Whether a line is about one of these."""
    subject_of = lru_cache(100_000)(Pseudonyms(refresh.secrets(refresh.site.subject_key)).subject)

    def is_one(resource_type: str, line: bytes) -> bool:
        patient = whose(resource_type, line)
        return bool(patient) and subject_of(patient) in subjects

    return is_one


def _merges_of(line: bytes) -> bytes | None:
    """Of a Patient who it is and with whom it was merged."""
    try:
        members = decoded(line, _MEMBERS)
    except Unreadable:
        return None
    return msgspec.json.encode({name: members[name] for name in _ABOUT_MERGES if name in members})


def _rewrite(landing: Landing, path: Path, resource_type: str, sifted: Sift, cap: int) -> int:
    def found() -> Iterator[tuple[bytes, bytes | None]]:
        for _, lines in read_batches(path, cap=cap):
            if isinstance(lines, Problem):
                yield _UNREADABLE, _UNREADABLE.rstrip()
            else:
                yield from ((line, sifted(resource_type, line)) for line in lines)

    others = sum(left is not line and left != line.rstrip() for line, left in found())
    if others:
        blocks = (left + b"\n" for _, left in found() if left is not None)
        (landing.write if path.suffix == ".gz" else landing.copy)(path, blocks)
    return others


def _forget_members(refresh: Refresh, landing: Landing, gone: Collection[bytes]) -> None:
    subject_of = Pseudonyms(refresh.secrets(refresh.site.subject_key)).subject
    for name in (ROSTER, EVERYBODY):
        roster = landing.cursor(name, Roster)
        if roster is None or not roster.members:
            continue
        left = [each for each in roster.members if subject_of(each.id) not in gone]
        if len(left) < len(roster.members):
            landing.save_cursor(name, msgspec.structs.replace(roster, members=left))
