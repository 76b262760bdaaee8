"""An event as a handler is given it, and the one place where all that Kafka hands us is checked before any handler.

Headers, key and value say the same things twice; where they disagree, one of them would touch a record that is not its own.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Any, TypeVar

import msgspec
from pydantic import ValidationError

from mainstem.kafka.envelopes import (
    DATA_SCHEMA,
    EVENT_ID,
    ID,
    MAJOR,
    MAX_SEQUENCE,
    SCHEMA,
    SEQUENCE,
    SOURCE,
    SUBJECT,
    TIME,
    TYPE,
    Fault,
    UnsoundError,
    check_form,
    envelope_of,
    event_version,
    instant,
    matched,
    network_of,
    refuse_repeated,
    site_of,
    within_time,
)
from schemas.events import Header, Operation, OutcomeEvent, WithdrawnBecause
from schemas.loads import LoadEvent
from schemas.outcomes import RECORD_TYPES

T = TypeVar("T")

REPLAY = Header.REPLAY.value
KEY = re.compile(rb"(s-[0-9a-f]{32})/(r-[0-9a-f]{32})")
OUTCOME_TYPE = re.compile(rb"[!-~]+\.outcome\.([a-z]+)\.(v[0-9]{1,4})")

LONGEST_NUMBER, DEEPEST = 2000, 100
"""Digits and levels of JSON that every reader of a value takes: Python's own gives up at 4,300 digits and at 1,000 levels. Nothing of the
contract comes near, and nothing shorter than so many bytes can be as bad."""
DIGITS, TOO_MANY = bytes.maketrans(b"123456789", b"0" * 9), b"0" * (LONGEST_NUMBER + 1)
TEXTS, BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL), re.compile(rb"[][{}]")

FREE_OF_SITE = {name for name, model in RECORD_TYPES.items() if not model.model_fields["site"].is_required()}
"""Record types that may tell of another site than their source, or of none."""


class LetterReason(StrEnum):
    """Why an event went to the dead-letter topic."""

    MISSING_HEADER = "missing-header"
    INVALID_HEADER = "invalid-header"
    UNKNOWN_VERSION = "unknown-version"
    INVALID_JSON = "invalid-json"
    INVALID_RECORD = "invalid-record"
    CONTRADICTION = "contradiction"
    """Key, headers and value do not speak of the same record, change or site."""
    FOREIGN_SITE = "foreign-site"
    """Of a site that is none of the network's, as the consumer was told them."""
    FOREIGN_NETWORK = "foreign-network"
    """Of another network than the topic it lies in."""
    GONE = "gone"
    """It was to be retried, and neither its letter nor what it was of is kept any more."""
    HELD = "held"
    """Nothing is wrong with it: an earlier change of its record is a dead letter, and it waits for that."""


class PoisonError(Exception):
    """An event that cannot be used; a handler raises it where it meets one. Says nothing of the content.

    A handler that knows all of them raises `PoisonError.of` them, so that what is left need not be searched.
    """

    def __init__(self, event: "Received | LoadEvent", reason: LetterReason) -> None:
        super().__init__(reason.value)
        self.event = event
        self.reason = reason
        self.named: list[tuple[Received | LoadEvent, LetterReason]] = [(event, reason)]

    @classmethod
    def of(cls, named: "Sequence[tuple[Received | LoadEvent, LetterReason]]") -> "PoisonError":
        """One error for several events; at least one."""
        error = cls(*named[0])
        error.named = list(named)
        return error


class Received:
    """One outcome event. Its headers are checked and decoded; the value, only when asked for."""

    unwanted = False
    """It is a change to a code that the consumer does not want, and stands for a withdrawal."""

    def __init__(self, record: Any) -> None:
        headers: dict[str, bytes] = dict(record.headers)
        if len(headers) != len(record.headers):
            refuse_repeated(record.headers)
        self.op, self.network = _said(headers[TYPE])
        self.epoch, self.sequence = event_version(headers[SEQUENCE])
        self.time = instant(headers[TIME])
        """When the change was stored, UTC."""
        self.site = site_of(headers[SOURCE])
        self.record_type = _record_type(headers[DATA_SCHEMA])
        """The record type, `observation`; a withdrawal has it too. It may be one this version does not know."""
        self.event_id = matched(EVENT_ID, headers[ID])[0].decode()
        """`ce_id`; a duplicate has the same."""
        self.key: bytes = record.key
        subject, record_id = matched(KEY, self.key).groups()
        if record_id != headers[SUBJECT]:
            raise UnsoundError(Fault.CONTRADICTION)
        self.subject: str = subject.decode()
        """`s-…`"""
        self.record_id: str = record_id.decode()
        """`r-…`"""
        self.record_key = bytes.fromhex(self.record_id[2:])
        """The record id as 16 bytes."""
        self.replay = REPLAY in headers
        self.value: bytes | None = record.value
        """The value's JSON; None for a withdrawal."""
        self.source = record
        """The Kafka record."""
        check_form(headers)

    def leave(self) -> None:
        """Its record has become one that the consumer does not want: for its handler it is withdrawn."""
        self.op, self.value, self.unwanted = Operation.WITHDRAWN, None, True

    @cached_property
    def because(self) -> WithdrawnBecause | None:
        """Why a record was withdrawn, where that is not that its source says so; None, too, for a reason this version does not know."""
        found = dict(self.source.headers).get(Header.REASON, b"")
        return next((each for each in WithdrawnBecause if self.value is None and found == each.encode()), None)

    @cached_property
    def outcome(self) -> OutcomeEvent | None:
        """The whole event, checked; None for a withdrawal. A value that breaks the contract goes to the dead letters."""
        if self.value is None:
            return None
        try:
            return OutcomeEvent.model_validate_json(self.value)
        except ValidationError:
            raise PoisonError(self, LetterReason.INVALID_RECORD) from None

    def decode(self, kind: type[T]) -> T:
        """The value as a msgspec type of the caller's, much faster than `outcome`; not for withdrawals."""
        if self.value is None:
            raise PoisonError(self, LetterReason.INVALID_RECORD)
        try:
            return msgspec.json.decode(self.value, type=kind)
        except msgspec.MsgspecError:
            raise PoisonError(self, LetterReason.INVALID_RECORD) from None


def record_named(record: Any) -> bytes | None:
    """The outcome record that a Kafka record's key names, 16 bytes; None where the key is of another form."""
    found = KEY.fullmatch(record.key or b"")
    return bytes.fromhex(found[2][2:].decode()) if found else None


def read_event(record: Any) -> Received | LetterReason:
    """A Kafka record of the outcome topic as an event, or why it is none."""
    try:
        event = Received(record)
    except KeyError:
        return LetterReason.MISSING_HEADER
    except UnsoundError as exc:
        return LetterReason(exc.fault)
    except (ValueError, TypeError, AttributeError, OverflowError):
        return LetterReason.INVALID_HEADER
    return _disagreement(event) or event


def read_load(record: Any) -> LoadEvent | LetterReason:
    """A Kafka record of the load topic, or why it is none."""
    try:
        told = envelope_of(record, "load")
        event = LoadEvent.model_validate_json(record.value or b"")
    except UnsoundError as exc:
        return LetterReason(exc.fault)
    except ValidationError:
        return LetterReason.INVALID_RECORD
    named = (event.site.encode(), event.site, event.event.value, event.load.encode())
    if named != (record.key, told.origin, told.event, told.about):
        return LetterReason.CONTRADICTION
    times = [time for time in (event.started, event.ended) if time is not None]
    if not all(map(within_time, times)) or not 0 <= event.published <= MAX_SEQUENCE:
        return LetterReason.INVALID_RECORD
    return event


class _Content(msgspec.Struct, gc=False):
    """By what a record says whose it is."""

    type: str
    id: str
    subject: str | None = None
    site: str | None = None


class _Change(msgspec.Struct, gc=False):
    op: str
    sequence: int


class _Provenance(msgspec.Struct, gc=False):
    site: str


class _Envelope(msgspec.Struct, gc=False):
    """Just enough to know that a value is the event its headers announce; the rest is only known to be well-formed JSON."""

    record: _Content
    change: _Change
    provenance: _Provenance


_envelope = msgspec.json.Decoder(_Envelope)


def _disagreement(event: Received) -> LetterReason | None:
    """What keeps an event whose headers are sound from being used: its value."""
    value = event.value
    if value is None:
        return None if event.op is Operation.WITHDRAWN else LetterReason.CONTRADICTION
    try:
        if not value.isascii():
            value.decode()  # msgspec passes over what it does not keep, whatever its bytes
        if len(value) > LONGEST_NUMBER and (TOO_MANY in value.translate(DIGITS) or _is_deep(value)):
            return LetterReason.INVALID_JSON
        said = _envelope.decode(value)
    except msgspec.ValidationError:
        return LetterReason.INVALID_RECORD
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return LetterReason.INVALID_JSON
    record, change = said.record, said.change
    agree = (
        record.id == event.record_id
        and record.type == event.record_type
        and (record.subject == event.subject or record.subject is None)
        and (record.site == event.site or record.site is None or record.type in FREE_OF_SITE)
        and said.provenance.site == event.site
        and change.sequence == event.sequence
        and change.op == event.op.value
        and event.op is not Operation.WITHDRAWN
    )
    return None if agree else LetterReason.CONTRADICTION


def _is_deep(value: bytes) -> bool:
    """Whether JSON is nested more deeply than every reader follows; what stands in texts does not count."""
    if value.count(b"[") + value.count(b"{") <= DEEPEST:
        return False
    depth = 0
    for bracket in BRACKETS.findall(TEXTS.sub(b"", value)):
        depth += 1 if bracket in b"[{" else -1
        if depth > DEEPEST:
            return True
    return False


# What few values stand in many events' headers is read once.


@lru_cache(256)
def _said(event_type: bytes) -> tuple[Operation, str]:
    """What happened, and in which network."""
    operation, major = matched(OUTCOME_TYPE, event_type).groups()
    if major != MAJOR:
        raise UnsoundError(Fault.UNKNOWN_VERSION)
    return Operation(operation.decode()), network_of(event_type)


@lru_cache(256)
def _record_type(schema: bytes) -> str:
    name, major = matched(SCHEMA, schema).groups()
    if major != MAJOR:
        raise UnsoundError(Fault.UNKNOWN_VERSION)
    return str(name.decode())
