"""Consent decided by somebody: by a word, a list or FHIR Consents. Kept, the landing purged, the network told; and who has erased."""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import structlog

from connectors.formats.ndjson import read_batches
from mainstem.config.site_mapper import site_mapper
from mainstem.consumer.erasures import Told, said
from mainstem.kafka.groups import readers_of
from mainstem.kafka.topics import group_in_kafka
from mainstem.refresh.consents import purge
from mainstem.refresh.door import BusyError, locked
from mainstem.refresh.opening import Refresh
from mainstem.state import Decision, Done
from mainstem.state.consents import decisions_of, latest
from schemas.errors import OperatorError
from schemas.events import outcome_topic
from schemas.given_files import given_table
from schemas.problems import Problem
from schemas.subjects import SCOPES, ConsentAsked, ConsentHeeded, ErasureReport, Wish
from transforms.privacy.pseudonyms import Pseudonyms

log = structlog.get_logger()
CONSENT = "Consent"
COLUMNS = ("patient", "subject", "scope", "decision", "mode")
WORDS = {"scope": SCOPES, "decision": ("withdraw", "give"), "mode": ("stop", "erase")}
DEFAULTS = {"scope": "qi", "decision": "withdraw", "mode": "stop"}


class Decided(NamedTuple):
    """What became of decisions."""

    done: Done
    purged: bool
    """Whether the landing holds nothing of whom is to be forgotten; else a load under way ends first."""
    lines: int
    """Landed lines that are gone."""
    strangers: set[bytes]
    """Of whom the site knows nothing: they come later, or somebody mistook an id."""


def subject_of(refresh: Refresh, *, subject: str = "", patient: str = "") -> bytes:
    """Whom a command means: by pseudonym, or by the EHR's id of the patient."""
    if bool(subject) == bool(patient):
        raise OperatorError("a subject or a patient is to be named", "Give --subject, or --patient; one of them.")
    if patient:
        return Pseudonyms(refresh.secrets(refresh.site.subject_key)).subject(patient)
    return parsed(subject)


def parsed(subject: str) -> bytes:
    """A pseudonym's bytes. Raises OperatorError."""
    try:
        found = bytes.fromhex(subject.removeprefix("s-"))
    except ValueError:
        found = b""
    if len(found) != 16:
        raise OperatorError("a subject is s- and 32 hexadecimal digits", "Take it from an event: `mainstem tail`.")
    return found


def decide(refresh: Refresh, decisions: Sequence[Decision]) -> Decided:
    """Keeps decisions, with all that follows at the site. Nothing is told yet: see `mainstem.refresh.telling`."""
    site = refresh.site.site
    strangers = refresh.store.consents.strangers(site, {each.subject for each in decisions})
    done = refresh.store.consents.decide(site, decisions, refresh.clock())
    log.info("consent decided", site=site, decisions=done.changed, records=done.records)
    lines = 0
    try:
        with locked(refresh, "run"):
            under_way = refresh.store.loads.open(site)
            lines = purge(refresh, but=under_way.id if under_way else "")
    except BusyError:
        pass  # the load under way does it at its end
    return Decided(done, not refresh.store.consents.unpurged(site), lines, strangers)


def listed(refresh: Refresh, path: Path, at: datetime) -> list[Decision]:
    """The decisions of a CSV file: `patient` or `subject`, and `scope`, `decision`, `mode` where they are not the usual ones."""
    pseudonym = Pseudonyms(refresh.secrets(refresh.site.subject_key)).subject
    with given_table(path) as file:
        rows = csv.DictReader(file, strict=True)
        names = rows.fieldnames or ()
        if set(names) - set(COLUMNS) or len(set(names)) < len(names) or not {"patient", "subject"} & set(names):
            raise OperatorError(
                f"{path.name}: the first line does not name the columns",
                f"Name patient or subject there, and of {', '.join(COLUMNS[2:])} those that are given; no others.",
            )
        decisions = [(rows.line_num, _row(rows.line_num, row, pseudonym, at)) for row in rows]
    _agree(decisions)
    return [each for _, each in decisions]


def _agree(decisions: Sequence[tuple[int, Decision]]) -> None:
    """Raises OperatorError where two lines say two things of one patient and scope: which is meant cannot be told."""
    said: dict[tuple[bytes, str], tuple[int, Decision]] = {}
    for number, each in decisions:
        first, before = said.setdefault((each.subject, each.scope), (number, each))
        if before != each:
            raise OperatorError(
                f"lines {first} and {number} say two things of one patient and scope",
                "Leave the one that is meant; nothing was done.",
            )


def _row(number: int, row: dict[str, str | None], pseudonym: Callable[[str], bytes], at: datetime) -> Decision:
    given = {name: (value or "").strip() for name, value in row.items() if name is not None}
    said = {name: given.get(name) or usual for name, usual in DEFAULTS.items()}
    for name, words in WORDS.items():
        if said[name] not in words:
            raise OperatorError(
                f"line {number}: {name} is none of {', '.join(words)}", "Correct the line; nothing was done."
            )
    patient, subject = given.get("patient", ""), given.get("subject", "")
    if bool(patient) == bool(subject) or None in row:
        raise OperatorError(f"line {number} names no patient, or not one alone", "Correct the line; nothing was done.")
    if said["mode"] == "erase" and (said["decision"] == "give" or said["scope"] == "research"):
        raise OperatorError(
            f"line {number}: only who withdraws for qi can have it erased", "Correct the line; nothing was done."
        )
    try:
        who = pseudonym(patient) if patient else parsed(subject)
    except OperatorError as exc:
        raise OperatorError(f"line {number}: {exc.cause}", exc.fix) from None
    scope = next(each for each in SCOPES if each == said["scope"])
    return Decision(who, scope, said["decision"] == "give", at, said["mode"] == "erase")


class Heard(NamedTuple):
    """What a file of FHIR Consents says."""

    decisions: list[Decision]
    read: int
    refused: Counter[str]
    """Resources that say nothing that binds, by reason code."""


def heard(refresh: Refresh, path: Path, at: datetime, *, erase: bool) -> Heard:
    """The decisions of Consents in NDJSON or a Bundle, as the site's mapping reads them, of each patient and scope the last; `erase`:
    what withdrawals mean."""
    mapper = site_mapper(refresh.file, refresh.secrets, types=[CONSENT])
    found = Heard([], 0, Counter())
    read = 0
    for _, lines in read_batches(path, cap=refresh.site.limits.line_bytes):
        if isinstance(lines, Problem):
            found.refused[lines.reason.value] += 1
            read += 1
            continue
        read += len(lines)
        outcomes = mapper.map_lines(lines)
        for record in outcomes.records:
            found.decisions.extend(decisions_of(record, at))
        problems = (each.problem for each in outcomes.unusual.values())
        found.refused.update(each.reason.value for each in problems if each is not None)
    last = [each._replace(erase=erase and not each.permit and each.scope == "qi") for each in latest(found.decisions)]
    return found._replace(read=read, decisions=last)


def reports(refresh: Refresh) -> Iterator[ErasureReport | ConsentHeeded]:
    """What consumers told of erasures at this site, and what they go by, in their order."""
    yield from (each for each in _said(refresh) if isinstance(each, ErasureReport | ConsentHeeded))


class Asked(NamedTuple):
    """What a family asks, and where it stands."""

    asked: ConsentAsked
    waiting: bool


def asked(refresh: Refresh) -> list[Asked]:
    """What families of this site ask, the last of each person and scope, in the order of time."""
    last = {(each.subject, each.scope): each for each in _said(refresh) if isinstance(each, ConsentAsked)}
    found = sorted(last.values(), key=lambda each: (each.at, each.id))
    return [Asked(each, not refresh.store.consents.heeds(refresh.site.site, decision_on(each))) for each in found]


def decision_on(asked: ConsentAsked) -> Decision:
    """What is decided where a family is followed."""
    subject = parsed(asked.subject)
    return Decision(subject, asked.scope, asked.wish is Wish.GIVE, asked.at, asked.wish is Wish.ERASE)


def _said(refresh: Refresh) -> Iterator[Told]:
    told = said(refresh.settings.kafka_settings(), refresh.settings.network)
    yield from (each for each in told if each.site == refresh.site.site)


def consumers(refresh: Refresh) -> list[str]:
    """The groups that read the network's outcomes, as far as the cluster knows them."""
    network = refresh.settings.network
    found = readers_of(refresh.settings.kafka_settings(), outcome_topic(network))
    return [name.removeprefix(group_in_kafka(network, "")) for name in found]
