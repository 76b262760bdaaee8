"""What a mapping is made of: resources, their fields, and the rules that read them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from schemas.problems import Reason
from transforms.rules.contradictions import Contradiction
from transforms.rules.setting import Setting
from transforms.rules.short_cuts import Openings, Usual


@dataclass(slots=True)
class Found:
    """What a rule found in one field."""

    values: dict[str, Any] = field(default_factory=dict)
    """Output field → JSON value; None, empty text and empty lists are left out."""
    flags: tuple[str, ...] = ()
    unmapped: tuple[tuple[str, str, str], ...] = ()
    """(system, code, target system) of codes that neither are of the target system nor in the code map."""
    withdrawn: bool = False
    repaired: bool = False
    """A known spelling was put right."""
    dropped: tuple[str, ...] = ()
    """What of the field was left out because it could not be used: paths inside the field, empty for all of it."""
    beside: tuple[tuple[str, str], ...] = ()
    """What it says for a record beside the resource's own (`Beside`), by name."""


NOTHING = Found()
LENT = "(lent)"
"""In place of a FHIR field: what other resources say of this one."""


Read = Callable[[bytes, "bytes | None", Setting], Found]


@dataclass(frozen=True, slots=True)
class Rule:
    """How one FHIR field is read."""

    gives: tuple[str, ...]
    """Output fields; those the field policy does not list are dropped."""
    read: Read
    """(the field's bytes, the companion's bytes, setting) → what was found. Raises Unusable."""
    needs: str | tuple[str, ...] | None = None
    """Companion: another FHIR field of the same element that decides how to read this one; of several, a list of them."""
    refers: str | None = None
    """The field is a Reference to this resource type: one elsewhere is looked up, and what is kept of it is the companion."""
    missing: Reason | None = None
    """Why the resource is unusable without this field."""
    fatal: bool = False
    """A fault in this field makes the resource unusable; in any other, the field is left out and named."""
    modified: bool = False
    """It looks for `modifierExtension` in the field's elements itself; in any other, such an element is left out and named."""
    usual: Callable[[Setting, Openings], Usual] | None = None
    """A short cut for contents that hardly recur: text to text in the usual form."""


def fields_beside(needs: str | tuple[str, ...]) -> tuple[str, ...]:
    """The companions of a rule, one or several."""
    return (needs,) if isinstance(needs, str) else needs


@dataclass(frozen=True, slots=True)
class Choice:
    """FHIR's choice of types, `value[x]`: at most one of these fields stands in a resource."""

    fields: Mapping[str, Rule]
    missing: Reason | None = None
    """Why the resource is unusable without any of them."""
    wins: str = ""
    """Of several that stand, against the rule, this one is taken …"""
    fatal: bool = False
    """… else the resource is unusable, as by a fault in one; where it is not fatal, the first is taken. Either is flagged."""
    otherwise: Mapping[str, str] = field(default_factory=dict)
    """Output fields where none of them stands …"""
    unless: tuple[str, ...] = ()
    """… nor any of these."""
    instead: Mapping[str, Rule] = field(default_factory=dict)
    """Other FHIR fields that stand for it where none of them does."""


Fields = Mapping[str, Rule | Choice]
"""FHIR field → how it is read. What is not a key here is not even decoded."""


class Element(NamedTuple):
    """A part of a resource that was found somewhere inside it."""

    path: str
    """Where: `item[0].item[2].answer[0]`."""
    content: bytes
    """A JSON object as the fields of parts read it; empty for one that cannot be read."""


Spread = Callable[[bytes, "bytes | None", "bytes | None"], list[Element]]
"""(the list's bytes, those of the field beside it, what is looked up for that) → the parts, wherever they stand in it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A list in a resource of which each element becomes a record of its own."""

    of: str
    """The FHIR field that holds the list."""
    known_by: str
    """The field of an element that says which it is: a CodeableConcept, or a text such as a linkId."""
    systems: tuple[str, ...] = ()
    """The code system by which an element is known, in the spellings of sources. Ids hang on it: fixed for good."""
    alone: tuple[str, ...] = ()
    """Output fields by any of which the whole stands where none of its parts can be used."""
    spread: Spread | None = None
    """Where parts stand in parts: how they are found. It finds as many whatever stands beside."""
    beside: str = ""
    """A field of the resource that `spread` is told of."""


@dataclass(frozen=True, slots=True)
class Members:
    """A list in a resource that names many patients: each element is, with the fields beside it, a record of its own.

    There is none of the whole, and what the list no longer names is no longer so.
    """

    of: str
    """The FHIR field that holds the list."""
    known_by: str
    """The field of an element that names the patient; the resource's subject. Ids hang on it."""
    reads: tuple[str, ...]
    """The other fields of an element that are read; all others are the resource's."""
    count: str
    """A field of the resource that says how many there are: more than are listed, and the answer is a partial one."""
    otherwise: Mapping[str, bytes] = field(default_factory=dict)
    """What an element says where it does not say it."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A record of another type that few resources, or parts of them, give beside their own."""

    record: str
    version: int
    make: Callable[[bytes, Mapping[str, str]], dict[str, object] | None]
    """(the own record's content, what fields said for it) → its fields; None where there is none."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A mapping: one FHIR resource type to one record type."""

    source: str
    record: str
    version: int
    """Rises when the same source gives another record; stands in every record's provenance."""
    fields: Fields
    subject: Fields
    """The field that says whom it is about, read by a rule that gives `subject`."""
    constants: Mapping[str, str] = field(default_factory=dict)
    repeated: Fields = field(default_factory=dict)
    """Fields that stand in the resource and again in each element of `parts`."""
    parts: Parts | None = None
    members: Members | None = None
    contradictions: tuple[Contradiction, ...] = ()
    """What its records are flagged for."""
    beside: Beside | None = None
    lent: tuple[str, ...] = ()
    """Output fields that other resources say of its records; they stand last."""
    lends: Mapping[str, str] = field(default_factory=dict)
    """FHIR field that lists others of its type → the output field by which those name this one."""

    @property
    def mapping(self) -> str:
        """`observation@1`."""
        return f"{self.record}@{self.version}"


@dataclass(frozen=True, slots=True)
class Kept:
    """A FHIR resource type that gives no record, but is looked up where others name it."""

    source: str
    keep: Callable[[bytes], bytes | None]
    """The resource → what is kept of it, in one form whatever its serialiser; None where it says it is an error."""
    alone: Mapping[str, Reason] = field(default_factory=dict)
    """Fields by which it tells of a patient itself, and why that gives no record."""
    names: Callable[[bytes], list[str]] = lambda _resource: []
    """What it is named by beside its id: a canonical URL."""


class Contains(NamedTuple):
    """Resources of another type that stand in one and nowhere else."""

    type: str
    by: str
    """The field in which their holder names them."""


@dataclass(frozen=True, slots=True)
class Lender:
    """A FHIR resource type that gives no record, but says something of the records of those it lists."""

    source: str
    lend: Callable[[bytes, bytes, Setting], Mapping[bytes, bytes] | None]
    """(the resource, its ref, setting) → what it says of others, by their refs; None where it says it is an error. Raises Unusable."""
    contains: Contains | None = None
    """What it contains that is a fact itself, and gives records."""


def all_of(*rules: Rule) -> Rule:
    """Several rules read the same field, each for itself."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = [rule.read(raw, companion, setting) for rule in rules]
        return Found(
            {name: value for each in found for name, value in each.values.items()},
            tuple(dict.fromkeys(flag for each in found for flag in each.flags)),
            tuple(coding for each in found for coding in each.unmapped),
            withdrawn=any(each.withdrawn for each in found),
            repaired=any(each.repaired for each in found),
            dropped=tuple(dict.fromkeys(path for each in found for path in each.dropped)),
            beside=tuple(pair for each in found for pair in each.beside),
        )

    return Rule(tuple(dict.fromkeys(name for rule in rules for name in rule.gives)), read)


def choice(
    *,
    missing: Reason | None = None,
    wins: str = "",
    fatal: bool = False,
    otherwise: Mapping[str, str] | None = None,
    unless: Iterable[str] = (),
    instead: Mapping[str, Rule] | None = None,
    **fields: Rule,
) -> Choice:
    """One of several FHIR fields: `choice(effectiveDateTime=…, effectivePeriod=…, missing=Reason.MISSING_TIME)`."""
    if fatal:
        fields = {name: replace(rule, fatal=True) for name, rule in fields.items()}
    return Choice(fields, missing, wins, fatal, otherwise or {}, tuple(unless), instead or {})


def required(rule: Rule, missing: Reason) -> Rule:
    """The rule, and the reason why a resource without the field is unusable."""
    return replace(rule, missing=missing, fatal=True)
