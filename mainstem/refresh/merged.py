"""Patients that say they were merged: their subjects become aliases of those that survive, and are their own again when the link goes.

A patient's own word counts (`replaced-by`); where it says nothing and is not active, the survivor's (`replaces`). An alias
that an operator made is not touched.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec
import structlog

from connectors.formats.ndjson import read_batches
from connectors.outside.decoding import ABSENT, Unreadable, decoded, each, said
from connectors.outside.times import EARLIEST, instant
from mainstem.refresh.opening import Refresh
from mainstem.state import REPLACED, TAKEN_OVER, Alias, Load, Merges
from schemas.problems import Problem
from transforms.fhir.elements import Reference, Scalar, reference_id, text_of
from transforms.privacy.pseudonyms import Pseudonyms

log = structlog.get_logger()
PATIENT = "Patient"
_MARK = b"replace"
"""In every line that links to a patient it replaces, or is replaced by."""
_NOT_DELETED = (b"", b"null", b"false")


class _Link(msgspec.Struct):
    type: Scalar = None
    other: msgspec.Raw = ABSENT


class _Meta(msgspec.Struct):
    deleted: msgspec.Raw = ABSENT
    lastUpdated: msgspec.Raw = ABSENT


class _Patient(msgspec.Struct):
    id: Scalar = None
    active: msgspec.Raw = ABSENT
    link: msgspec.Raw = ABSENT
    meta: msgspec.Raw = ABSENT


_PATIENT = msgspec.json.Decoder(_Patient)


class Word(NamedTuple):
    """What a patient says of itself and others."""

    updated: datetime
    active: bool | None
    replaced_by: frozenset[bytes]
    replaces: frozenset[bytes]
    unnamed: bool = False
    """Whether a link says that it was merged, and not into whom in a way that can be followed."""


def follow_merges(refresh: Refresh, load: Load, belongs: Callable[[bytes], bool] | None) -> None:
    """What the landed patients say of merges, into the site's aliases, before they are mapped; done again it changes nothing.

    `belongs`: whether a line is of the cohort, where files are read of more.
    """
    standing = {alias.old: alias for alias in refresh.store.aliases.of(load.site)}
    words = _words(refresh, load, standing, belongs)
    if not words:
        return
    merges = judge(words, standing)
    done = refresh.store.aliases.follow(load.id, merges, refresh.clock())
    if any(done):
        log.info("merged patients", site=load.site, load=load.id, **done._asdict())


def judge(words: Mapping[bytes, Word], standing: Mapping[bytes, Alias]) -> Merges:
    """What follows from the words of a load, beside the aliases that stand."""
    told: dict[bytes, set[bytes]] = {}
    for subject, word in words.items():
        for old in word.replaces if word.active is not False else ():
            told.setdefault(old, set()).add(subject)
    begin, end, unclear, confirmed = dict[bytes, bytes](), list[bytes](), 0, list[bytes]()
    for old in {**words, **told}:
        own, alias = words.get(old), standing.get(old)
        into = _into(own, told.get(old, set()))
        if alias is not None and into == {alias.surviving}:
            if alias.why == TAKEN_OVER:
                confirmed.append(old)
            continue
        contradicted = bool(into) and (len(into) > 1 or old in into or (own is not None and own.active is True))
        if contradicted or (own is not None and own.unnamed) or (into and alias is not None and alias.why != REPLACED):
            unclear += 1
        elif into:
            begin[old] = next(iter(into))
        elif own is not None and alias is not None and alias.why == REPLACED:
            end.append(old)
    circular = _circular(begin, {old: alias.surviving for old, alias in standing.items() if old not in end})
    kept = {old: surviving for old, surviving in begin.items() if old not in circular}
    end += [old for old in kept if old in standing]
    return Merges(kept, end, unclear + len(circular), confirmed)


def _into(word: Word | None, told: set[bytes]) -> set[bytes]:
    """Into whom a patient was merged: by its own word, else by the survivor's, unless it is active."""
    if word is not None and word.replaced_by:
        return set(word.replaced_by)
    return set() if word is not None and word.active is not False else told


def _circular(begin: Mapping[bytes, bytes], standing: Mapping[bytes, bytes]) -> set[bytes]:
    """Those whose merges lead back to themselves."""
    steps, circular = {**standing, **begin}, set[bytes]()
    for old in begin:
        last, seen = steps[old], {old}
        while last in steps and last not in seen:
            seen.add(last)
            last = steps[last]
        if last == old:
            circular.add(old)
    return circular


def _words(
    refresh: Refresh, load: Load, standing: Iterable[bytes], belongs: Callable[[bytes], bool] | None
) -> dict[bytes, Word]:
    """Of those that link, and of those whose alias stands or who are said to be replaced: nobody else's word matters."""
    subject_of = Pseudonyms(refresh.secrets(refresh.site.subject_key)).subject

    def lines() -> Iterator[bytes]:
        for path in refresh.landing(load.id).files(PATIENT):
            for _, found in read_batches(path, cap=refresh.site.limits.line_bytes):
                if not isinstance(found, Problem):
                    yield from found if belongs is None else filter(belongs, found)

    words: dict[bytes, Word] = {}
    _hear(words, (line for line in lines() if _MARK in line), subject_of)
    asked = {*standing, *words, *(old for word in words.values() for old in word.replaces)}
    if asked:
        _hear(words, (line for line in lines() if _MARK not in line), subject_of, asked)
    return words


def _hear(
    words: dict[bytes, Word],
    lines: Iterable[bytes],
    subject_of: Callable[[str], bytes],
    asked: Collection[bytes] | None = None,
) -> None:
    """Adds each patient's latest word, of those asked for; a stub of one that was deleted is none."""
    for line in lines:
        try:
            patient = decoded(line, _PATIENT)
        except Unreadable:
            continue
        meta, ident = said(patient.meta, _Meta, _Meta()), text_of(patient.id)
        subject = subject_of(ident)
        if not ident or bytes(meta.deleted) not in _NOT_DELETED or (asked is not None and subject not in asked):
            continue
        updated = instant(said(meta.lastUpdated, str, "")) or EARLIEST
        if subject not in words or updated >= words[subject].updated:
            words[subject] = _word(patient, updated, subject_of)


def _word(patient: _Patient, updated: datetime, subject_of: Callable[[str], bytes]) -> Word:
    linked: dict[str, set[bytes]] = {"replaced-by": set(), "replaces": set()}
    unnamed = False
    for link in each(patient.link, _Link):
        kind = text_of(link.type).lower()
        if kind not in linked:
            continue
        if named := reference_id(said(link.other, Reference, Reference()), "Patient"):
            linked[kind].add(subject_of(named))
        else:
            unnamed |= kind == "replaced-by"
    active = {"true": True, "false": False}.get(text_of(said(patient.active, bool | str, "")).lower())  # type: ignore[arg-type]  # a union is a form too
    return Word(updated, active, frozenset(linked["replaced-by"]), frozenset(linked["replaces"]), unnamed)
