"""Which fields of records decide: those that declarations name, and those that are looked at whatever is asked. Others need not be read."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from services.measures.compile.spans import OF_SEVERAL
from services.measures.declared import Measure
from services.measures.language.columns import NORMALISED, SPANS
from services.measures.language.events import SET_ASIDE, Field, IsA, Known
from services.measures.language.moments import SpanOf
from services.measures.language.nodes import every_part
from services.registry.tables import RECORD_TABLES, model_fields

Reads = Mapping[str, Collection[str]]
"""Record types, and of each the fields that are read."""
EVERYTHING: Reads = {
    **{name: (*model_fields(name), "flags") for name in RECORD_TABLES},
    "encounter": (*model_fields("encounter"), "flags", "arrived"),
    "set_aside": tuple(sorted(SET_ASIDE)),
}
"""`arrived`: when the registry has it that a record was first stored."""
LINKS = frozenset({"id", "site", "subject", "status", "replaces", "parent", "encounter", "diagnoses"})
"""Whose a record is, whether it stands, what it belongs to."""
WHOLE = ("person", "coverage", "set_aside")
"""Read with all fields: they are few, and any of them may tell people apart."""
ALWAYS = ("person", "encounter", "observation", "set_aside")
"""Who it is, the visit that a record names, the parts of a panel, and what the site said: no measure names them itself."""


def fields_asked(*parts: Any) -> frozenset[str]:
    """The names of fields that parts of a declaration ask records for, of whatever type."""
    return frozenset(name for part in every_part(parts) for name in _asked(part))


def _asked(part: Any) -> Iterator[str]:
    if isinstance(part, Field):
        yield from (part.name, "comparator", "unit", *(["codings"] if part.part else []))
    elif isinstance(part, Known):
        yield from part.fields
    elif isinstance(part, IsA):
        yield from (name for names in NORMALISED.values() for name in names)
    elif isinstance(part, SpanOf):
        yield from OF_SEVERAL.get(part.name, ())
        for (_, name), each in SPANS.items():
            ends = (each.start_date, each.start, each.end_date, each.end, each.ongoing)
            yield from (field for field in ends if field is not None and name == part.name)


def reads_of(measures: Iterable[Measure]) -> Reads:
    """What decides some measures of the network."""
    some = list(measures)
    fields = frozenset().union(*(fields_asked(each.parts) for each in some))
    return reads((name for each in some for name in each.records), fields)


def reads(record_types: Iterable[str], fields: Collection[str]) -> Reads:
    """These types and those that are always read, with fields of these names."""
    wanted = LINKS.union(fields)
    return {
        name: every if name in WHOLE else tuple(field for field in every if field in wanted)
        for name in sorted({*record_types, *ALWAYS})
        for every in (EVERYTHING[name],)
    }
