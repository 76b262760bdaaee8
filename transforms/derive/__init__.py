"""Values of several records of one person: a file a value, found by its name; none ships yet.

A file here holds `VALUE = Value(name, version, needs, derive)`; `derive` is pure: a person's current records in, derived
values out, each hanging on one of them. The step that calls this hands over the persons touched, saves what is derived
and withdraws what no longer is. Values see records, never FHIR, and stand outside a mapping's identity.
"""

import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from importlib import import_module
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from msgspec import Raw
from msgspec.json import decode, encode

from transforms.mapped import REF_BYTES, WHOLE, Mapped
from transforms.privacy import FieldPolicy, Pseudonyms
from transforms.privacy.pseudonyms import hexadecimal

RECORD = "derived_observation"


class Current(NamedTuple):
    """A record as it stands, not withdrawn."""

    id: bytes
    type: str
    subject: bytes
    content: bytes


class Derived(NamedTuple):
    """One derived value."""

    anchor: Current
    """The record it hangs on: a value has one derived record for each."""
    quantity: str
    """What was computed: z-score, percentile, percent predicted."""
    value: Decimal
    inputs: Sequence[Current]
    """All records it was computed from."""
    unit: str | None = None
    effective: str | None = None
    effective_date: str | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """How one value is derived."""

    name: str
    """The published method; with the anchor it makes the record's id, so it stays."""
    version: str
    needs: frozenset[str]
    """Record types it reads."""
    derive: Callable[[Sequence[Current]], Iterable[Derived]]
    """One person's current records of the types needed, by id → values. Pure."""


class Derivation(NamedTuple):
    """What some persons' records say now."""

    records: list[Mapped]
    withdrawn: list[bytes]
    """Refs (12 bytes) of derived records that stand and are no longer given."""


def values() -> list[Value]:
    """One for each file of this folder; what the files share stands in folders."""
    files = (found.name for found in pkgutil.iter_modules(__path__) if not found.ispkg)
    modules = (import_module(f"{__name__}.{name}") for name in files)
    return [module.VALUE for module in modules]


def record_types(of: Iterable[Value]) -> set[str]:
    """The record types to hand over: what the values need, and what was derived before."""
    return {RECORD, *(name for value in of for name in value.needs)}


class Deriver:
    """Derives one site's values."""

    def __init__(self, *, site: str, subject_key: bytes, values: Sequence[Value]) -> None:
        self._site = site
        self._values = values
        self._methods = {value.name for value in values}
        self._pseudonyms = Pseudonyms(subject_key)
        self._leaves = partial(FieldPolicy.load().leaves, RECORD)

    def derive(self, current: Iterable[Current]) -> Derivation:
        """What persons' current records give, whatever their order; derived records that stand are among them."""
        found = Derivation([], [])
        ordered = sorted(current, key=attrgetter("subject", "id"))
        for _subject, records in groupby(ordered, attrgetter("subject")):
            listed = list(records)
            given = [record for value in self._values for record in self._of_one(value, listed)]
            found.records.extend(given)
            found.withdrawn.extend(self._stale(listed, {record.id for record in given}))
        return found

    def _of_one(self, value: Value, records: Sequence[Current]) -> list[Mapped]:
        needed = [record for record in records if record.type in value.needs]
        return [self._record(value, derived) for derived in value.derive(needed)] if needed else []

    def _stale(self, records: Sequence[Current], given: set[bytes]) -> list[bytes]:
        """Records of these methods that stand without what they hung on; other methods' are left alone."""
        standing = (record for record in records if record.type == RECORD and record.id not in given)
        return [record.id[:REF_BYTES] for record in standing if decode(record.content).get("method") in self._methods]

    def _record(self, value: Value, derived: Derived) -> Mapped:
        anchor = derived.anchor
        id_ = self._pseudonyms.refs(b"derived/%b/" % value.name.encode())(anchor.id) + WHOLE
        facts: dict[str, Any] = {
            "quantity": derived.quantity,
            "value": Raw(f"{derived.value.normalize():f}".encode()),
            "unit": derived.unit,
            "method": value.name,
            "method_version": value.version,
            "inputs": sorted({hexadecimal(b"r-", record.id) for record in derived.inputs}),
            "effective": derived.effective,
            "effective_date": derived.effective_date,
        }
        content = {
            "type": RECORD,
            "id": hexadecimal(b"r-", id_),
            "subject": hexadecimal(b"s-", anchor.subject),
            "site": self._site,
            **{name: fact for name, fact in facts.items() if self._leaves(name) and fact not in (None, "", [])},
        }
        provenance = b'"source":[],"mapping":%b' % encode(f"{value.name}@{value.version}")
        return Mapped(id_, RECORD, anchor.subject, encode(content), provenance, None)
