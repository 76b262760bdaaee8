"""Values of several records of one person: a file a value, found by its name.

A file here holds `VALUES`, the forms of one value (itself, its z-score, its percentile), each a declaration: what it
needs, of which window, by which method and version, from which sources; and a pure function of a person's history. What
files share stands in folders: `history` (what a person's records say), `kinds` (makers of like values), `references`
(published references over `tables`). The step that calls this hands over the persons touched, saves what is derived and
withdraws what no longer is. Values see records, never FHIR, and stand outside a mapping's identity.
"""

import pkgutil
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import chain
from typing import NamedTuple

from msgspec import Raw, Struct
from msgspec.json import Encoder, decode, encode

from schemas.errors import OperatorError
from transforms.derive.history import Fact, Facts, History
from transforms.derive.history.standing import Standing
from transforms.mapped import DERIVED, REF_BYTES, WHOLE, Current, Mapped
from transforms.privacy import FieldPolicy, Pseudonyms
from transforms.privacy.pseudonyms import hexadecimal

NOTHING = "none"
"""What a network asks for that wants no derived value."""
_DIGITS = 6
"""Decimals kept of a value."""


class Derived(NamedTuple):
    """One derived value."""

    anchor: Fact
    """The record it hangs on: a value has one derived record for each."""
    value: float
    inputs: Sequence[Fact]
    """All records it was computed from."""
    value_code: str | None = None
    """The state or band that the value falls in."""
    effective_date: str | None = None
    """When it was true; as of the anchor where not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """How one value is derived."""

    name: str
    """The published method; with its version, the anchor and the person it makes the record's id, so it stays."""
    version: str = "1"
    """Another version stands beside this one, as records of its own, for as long as the network asks for both."""
    quantity: str
    """What it is: z-score, percentile, percent predicted."""
    unit: str | None = None
    needs: frozenset[str]
    """Record types it reads."""
    codes: frozenset[str] = frozenset()
    """Codes of the observations it reads."""
    ingredients: frozenset[str] = frozenset()
    """Drugs of the medications it reads; a beginning with an asterisk stands for all codes that begin so."""
    window: str
    method: str
    sources: tuple[str, ...]
    derive: Callable[[History], Iterable[Derived]]
    """One person's current records → values. Pure: what day it is today changes nothing."""

    @property
    def key(self) -> str:
        """Name and version."""
        return f"{self.name}@{self.version}"

    @property
    def must(self) -> frozenset[str]:
        """Codes, or else record types, of which somebody must have one for this to be derived at all."""
        others = self.needs - {"person", "encounter", "observation", "pro_response"}
        return self.codes | others or self.needs - {"person"}


def shipped() -> list[Value]:
    """Those of each file of this folder, by name."""
    names = (found.name for found in pkgutil.iter_modules(__path__) if not found.ispkg)
    modules = (import_module(f"{__name__}.{name}") for name in names)
    return sorted((value for module in modules for value in module.VALUES), key=_in_order)


def _in_order(value: Value) -> tuple[str, int, str]:
    return value.name, len(value.version), value.version


def values(wanted: str = "all") -> list[Value]:
    """Those a network asks for: `all` (of each name the newest version), `none`, or names separated by commas, each alone
    or with a version (`bmi-z@1`). Raises OperatorError for a name that there is none of.
    """
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    if names in ([], [NOTHING]):
        return []
    ours = {value.key: value for value in shipped()}
    newest = {value.name: value for value in ours.values()}
    if names == ["all"]:
        return list(newest.values())
    if unknown := [name for name in names if name not in ours and name not in newest]:
        raise OperatorError(f"no derived value {', '.join(unknown)}", "`mainstem derive list` names them.")
    found = {(newest.get(name) or ours[name]).key: newest.get(name) or ours[name] for name in names}
    return sorted(found.values(), key=_in_order)


class Inputs:
    """Which records values read: their types, of observations the codes, of medications the ingredients, by bytes alone."""

    def __init__(self, of: Iterable[Value]) -> None:
        used = list(of)
        self.types = frozenset(name for value in used for name in value.needs)
        self.codes = tuple(sorted({code for value in used for code in value.codes}))
        self._wanted = {
            "observation": _named(b'"code":"(?:%b)"', self.codes),
            "medication": _named(b'"(?:%b)"', {name for value in used for name in value.ingredients}),
        }

    def reads(self, record: Current) -> bool:
        """Whether some value reads it."""
        if record.type not in self.types:
            return False
        wanted = self._wanted.get(record.type)
        return wanted is None or wanted.search(record.content) is not None


def _named(pattern: bytes, names: Iterable[str]) -> re.Pattern[bytes]:
    """Finds any of some names; nothing where there are none."""
    alternatives = b"|".join(_spelt(name.encode()) for name in sorted(names))
    return re.compile(pattern % alternatives if alternatives else b"(?!)")


def _spelt(name: bytes) -> bytes:
    return re.escape(name[:-1]) + rb"\w*" if name.endswith(b"*") else re.escape(name)


class Deriver:
    """Derives one site's values, a person at a time."""

    def __init__(self, *, site: str, subject_key: bytes, values: Sequence[Value], known: Collection[str] = ()) -> None:
        """`known`: names of the values whose records are ours to withdraw, besides those of `values`."""
        self.inputs = Inputs(values)
        self._site = site
        self._methods = {*known, *(value.name for value in values)}
        pseudonyms = Pseudonyms(subject_key)
        self._refs = {value.key: pseudonyms.refs(b"derived/%b/" % value.key.encode()) for value in values}
        self._must = [(value, value.must) for value in values]
        policy = FieldPolicy.load()
        self._stay = tuple(name for name in _FIELDS if not policy.leaves(DERIVED, name))
        self._told = {value.key: b'"source":[],"mapping":%b' % encode(value.key) for value in values}

    def derive(self, records: Iterable[Current]) -> Iterator[Mapped | bytes]:
        """What one person's current records give, whatever their order: records, and refs (12 bytes) of those among them
        that were derived and are no longer given.
        """
        standing, left = Standing(), iter(records)
        if (first := next(left, None)) is None:
            return
        subject, history = first.subject, History(self._facts(chain((first,), left), standing))
        whom = hexadecimal(b"s-", subject)
        for value, must in self._must:
            if must.isdisjoint(history.held):
                continue
            for derived in value.derive(history):
                mapped = self._record(value, derived, subject, whom)
                if standing:
                    standing.give(mapped.id[:REF_BYTES])
                yield mapped
        yield from standing.left()

    def _facts(self, records: Iterable[Current], standing: Standing) -> Iterator[Fact]:
        """What values read; what was derived goes to `standing`."""
        reader = Facts()
        for record in records:
            if record.type == DERIVED:
                if decode(record.content).get("method") in self._methods:
                    standing.add(record.id[:REF_BYTES])
            elif self.inputs.reads(record):
                yield reader.of(record.content)

    def _record(self, value: Value, derived: Derived, subject: bytes, whom: str) -> Mapped:
        """Its id hangs on the person too: of a reading that goes over to another the value is another's, and that of the first
        is withdrawn, in whatever order the two are derived.
        """
        anchor, key, dated = derived.anchor, value.key, derived.effective_date
        id_ = self._refs[key](bytes.fromhex(anchor.id[2:]) + subject) + WHOLE
        content = _Content(
            DERIVED,
            hexadecimal(b"r-", id_),
            whom,
            self._site,
            value.quantity,
            Raw(_number(derived.value)),
            derived.value_code,
            value.unit,
            value.name,
            value.version,
            _ids(derived.inputs),
            None if dated else anchor.effective,
            dated or anchor.effective_date,
        )
        for name in self._stay:
            setattr(content, name, None)
        return Mapped(id_, DERIVED, subject, _encode(content), self._told[key], None)


class _Content(Struct, omit_defaults=True, gc=False):
    """A derived record as it is written; what is None is left out."""

    type: str
    id: str
    subject: str
    site: str
    quantity: str | None = None
    value: Raw | None = None
    value_code: str | None = None
    unit: str | None = None
    method: str | None = None
    method_version: str | None = None
    inputs: list[str] | None = None
    effective: str | None = None
    effective_date: str | None = None


_encode = Encoder().encode
_OWN = ("type", "id", "subject", "site")
_FIELDS = tuple(name for name in _Content.__struct_fields__ if name not in _OWN)


def _ids(inputs: Sequence[Fact]) -> list[str]:
    """Of all of them, each once."""
    return [inputs[0].id] if len(inputs) == 1 else sorted({record.id for record in inputs})


def _number(value: float) -> bytes:
    """As short as it can be written with six decimals."""
    text = f"{value:.{_DIGITS}f}".rstrip("0").rstrip(".")
    return b"0" if text == "-0" else text.encode()
