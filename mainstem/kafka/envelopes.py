"""What an event's headers say, and whether they can be believed: the same rules for whoever reads a topic of the network.

Nobody may be stopped by what stands in a topic: what is no event raises `UnsoundError`, and whoever reads passes it over, counted.
"""

import re
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import sha1
from itertools import chain
from typing import Any, NamedTuple

from schemas.events import CONTENT_TYPE, CONTRACT_MAJOR, EVENT_NAMESPACE, SPEC_VERSION, Header

TYPE, SEQUENCE, TIME, SOURCE, DATA_SCHEMA, ID, SUBJECT = (
    header.value
    for header in (
        Header.TYPE,
        Header.SEQUENCE,
        Header.TIME,
        Header.SOURCE,
        Header.DATA_SCHEMA,
        Header.ID,
        Header.SUBJECT,
    )
)
FORM, CONTENT = Header.SPEC_VERSION.value, Header.CONTENT_TYPE.value
FORM_BYTES, CONTENT_BYTES = SPEC_VERSION.encode(), CONTENT_TYPE.encode()
MAJOR = f"v{CONTRACT_MAJOR}".encode()
MAX_EPOCH, MAX_SEQUENCE = 2**31 - 1, 2**63 - 1
"""What the columns of databases hold."""
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
"""Times outside cannot be true, and some are beyond what a database gives back."""
EVENT_ID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
VERSION = re.compile(rb"([1-9][0-9]{0,9})\.([1-9][0-9]{0,18})")
EVENT_TYPE = re.compile(rb"[!-~]+\.([a-z-]+)\.([a-z-]+)\.(v[0-9]{1,4})")
SITE = re.compile(rb"/site/([a-z][a-z0-9-]{0,30})")
GROUP = re.compile(rb"/consumer/([\x21-\x7e]{1,100})")
SCHEMA = re.compile(rb"/schemas/([a-z][a-z0-9_]{0,62})\.(v[0-9]{1,4})\.json")
LONGEST = 500
"""Bytes of what an event is about, as its header says it."""
_NAMESPACE = EVENT_NAMESPACE.bytes
_VARIANT = dict(zip("0123456789abcdef", chain.from_iterable(["89ab"] * 4), strict=True))


class Fault(StrEnum):
    """What is wrong with headers."""

    MISSING_HEADER = "missing-header"
    INVALID_HEADER = "invalid-header"
    UNKNOWN_VERSION = "unknown-version"
    CONTRADICTION = "contradiction"
    INVALID_RECORD = "invalid-record"


class UnsoundError(Exception):
    """What was handed to us is no event that we can use."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class Envelope(NamedTuple):
    """What the headers of an event say that is no record's change."""

    event: str
    """What happened: the last word of `ce_type` before its major."""
    origin: str
    """The site, or the consumer group, that says it."""
    about: bytes
    """`ce_subject`."""
    version: tuple[int, int] | None
    """Epoch and sequence, where it has them."""


def envelope_of(
    record: Any, kind: str, *, origin: re.Pattern[bytes] = SITE, schema: str = "", timed: bool = True
) -> Envelope:
    """The headers of an event of a topic of this kind, `load`; `schema` where that has another name. Raises UnsoundError."""
    try:
        refuse_repeated(record.headers)
        headers: dict[str, bytes] = dict(record.headers)
        event = _word(headers[TYPE], kind)
        name, major = matched(SCHEMA, headers[DATA_SCHEMA]).groups()
        matched(EVENT_ID, headers[ID])
        origin_name = matched(origin, headers[SOURCE])[1].decode()
        about = headers[SUBJECT]
        if timed:
            instant(headers[TIME])
        version = event_version(headers[SEQUENCE]) if SEQUENCE in headers else None
        check_form(headers)
    except KeyError:
        raise UnsoundError(Fault.MISSING_HEADER) from None
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise UnsoundError(Fault.INVALID_HEADER) from None
    if major != MAJOR:
        raise UnsoundError(Fault.UNKNOWN_VERSION)
    if name != (schema or kind).encode() or not 0 < len(about) <= LONGEST:
        raise UnsoundError(Fault.INVALID_HEADER)
    return Envelope(event, origin_name, about, version)


def id_of(named: bytes) -> bytes:
    """`ce_id` of what is known again by this name: a UUID of version 5 (RFC 9562), at a third of the time of `uuid.uuid5`."""
    name = sha1(_NAMESPACE + named, usedforsecurity=False).hexdigest()
    return f"{name[:8]}-{name[8:12]}-5{name[13:16]}-{_VARIANT[name[16]]}{name[17:20]}-{name[20:32]}".encode()


def refuse_repeated(headers: list[tuple[str, bytes]]) -> None:
    """One of our names twice: readers would take one or the other."""
    names = [name for name, _ in headers]
    if any(names.count(name) > 1 for name in Header):
        raise ValueError


def check_form(headers: dict[str, bytes]) -> None:
    """CloudEvents' own headers, which a producer may leave out."""
    if headers.get(FORM, FORM_BYTES) != FORM_BYTES:
        raise UnsoundError(Fault.UNKNOWN_VERSION)
    if headers.get(CONTENT, CONTENT_BYTES) != CONTENT_BYTES:
        raise UnsoundError(Fault.INVALID_HEADER)


def matched(pattern: re.Pattern[bytes], text: bytes) -> re.Match[bytes]:
    """The whole text by a pattern. Raises ValueError where it is of another form."""
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError
    return found


# What few values stand in many events' headers is read once.


@lru_cache(1024)
def event_version(sequence: bytes) -> tuple[int, int]:
    """Epoch and sequence. Raises ValueError where it is none, or too high to keep."""
    epoch, number = (int(part) for part in matched(VERSION, sequence).groups())
    if epoch > MAX_EPOCH or number > MAX_SEQUENCE:
        raise ValueError
    return epoch, number


@lru_cache(1024)
def instant(text: bytes) -> datetime:
    """A header's time, UTC. Raises ValueError where it is none, or cannot be true."""
    time = datetime.fromisoformat(text.decode())
    if not within_time(time):
        raise ValueError
    return time.astimezone(UTC)


@lru_cache(1024)
def site_of(source: bytes) -> str:
    """The site of a `ce_source`. Raises ValueError where it names none."""
    return matched(SITE, source)[1].decode()


@lru_cache(256)
def network_of(event_type: bytes) -> str:
    """The network that a `ce_type` of a known form names: what stands before its kind."""
    return event_type.rsplit(b".", 3)[0].decode()


def within_time(time: datetime) -> bool:
    """Whether a time has a zone and can be true."""
    return time.tzinfo is not None and EARLIEST <= time < LATEST


def _word(event_type: bytes, kind: str) -> str:
    found, event, major = matched(EVENT_TYPE, event_type).groups()
    if major != MAJOR:
        raise UnsoundError(Fault.UNKNOWN_VERSION)
    if found != kind.encode():
        raise ValueError
    return str(event.decode())
