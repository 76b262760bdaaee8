"""An event as a handler is given it, and why a Kafka record is none."""

from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeVar

import msgspec
from pydantic import ValidationError

from schemas.events import CONTRACT_MAJOR, Header, Operation, OutcomeEvent
from schemas.loads import LoadEvent

MAJOR = f"v{CONTRACT_MAJOR}".encode()
T = TypeVar("T")


class LetterReason(StrEnum):
    """Why an event went to the dead-letter topic."""

    MISSING_HEADER = "missing-header"
    INVALID_HEADER = "invalid-header"
    UNKNOWN_VERSION = "unknown-version"
    INVALID_JSON = "invalid-json"
    INVALID_RECORD = "invalid-record"


class PoisonError(Exception):
    """An event that cannot be used; a handler may raise it too. Says nothing of the content."""

    def __init__(self, event: "Received", reason: LetterReason) -> None:
        super().__init__(reason.value)
        self.event = event
        self.reason = reason


class Received:
    """One outcome event. Headers are decoded; `time`, `subject`, `type` and above all `outcome` only when asked for."""

    def __init__(self, record: Any) -> None:
        headers: dict[str, bytes] = dict(record.headers)
        _, operation, major = headers[Header.TYPE].rsplit(b".", 2)
        if major != MAJOR:
            raise _UnknownVersionError
        epoch, sequence = headers[Header.SEQUENCE].split(b".")
        self.event_id = headers[Header.ID].decode()
        """`ce_id`; a duplicate has the same."""
        self.record_id = headers[Header.SUBJECT].decode()
        """`r-…`"""
        self.op = Operation(operation.decode())
        self.epoch, self.sequence = int(epoch), int(sequence)
        self.site = headers[Header.SOURCE].decode().removeprefix("/site/")
        self.replay = Header.REPLAY in headers
        self.value: bytes | None = record.value
        """The value's JSON; None for a withdrawal."""
        self.key: bytes = record.key
        self.record_key = bytes.fromhex(self.record_id[2:])
        """The record id as 16 bytes."""
        self.source = record
        """The Kafka record."""
        self._schema = headers[Header.DATA_SCHEMA]
        self._time = headers[Header.TIME]
        if not self.key.startswith(b"s-") or not self.key.endswith(headers[Header.SUBJECT]):
            raise ValueError

    @property
    def subject(self) -> str:
        """`s-…`"""
        return str(self.key.partition(b"/")[0].decode())

    @property
    def record_type(self) -> str:
        """The record type, `observation`; a withdrawal has it too."""
        return self._schema.rsplit(b"/", 1)[-1].split(b".", 1)[0].decode()

    @property
    def time(self) -> datetime:
        """When the change was stored, UTC."""
        return datetime.fromisoformat(self._time.decode())

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


class _UnknownVersionError(Exception):
    """The event is of another major version of the contract."""


class _Envelope(msgspec.Struct):
    """Just enough to know that a value is an outcome event in well-formed JSON."""

    record: msgspec.Raw
    change: msgspec.Raw
    provenance: msgspec.Raw


def read_event(record: Any) -> Received | LetterReason:
    """A Kafka record as an event, or why it is none."""
    try:
        event = Received(record)
    except KeyError:
        return LetterReason.MISSING_HEADER
    except _UnknownVersionError:
        return LetterReason.UNKNOWN_VERSION
    except (ValueError, TypeError, AttributeError):
        return LetterReason.INVALID_HEADER
    if event.value is not None:
        try:
            msgspec.json.decode(event.value, type=_Envelope)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return LetterReason.INVALID_JSON
    return event


def read_load(record: Any) -> LoadEvent | LetterReason:
    """A Kafka record of the load topic, or why it is none."""
    try:
        return LoadEvent.model_validate_json(record.value or b"")
    except ValidationError:
        return LetterReason.INVALID_RECORD
