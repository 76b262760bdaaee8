"""What the measures ask for, single codes and value sets, and how much of it a site has."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import NamedTuple

from mainstem.refresh import Refresh
from services.measures.language.codes import Code, Codes, ValueSet
from services.measures.library import measures
from services.measures.official import definition, names
from services.measures.official.editions import EDITIONS
from services.measures.valuesets import ValueSets, load_value_sets
from transforms.codes.systems import ICD10CM, repaired_system

Asked = Mapping[tuple[str, str], list[str]]
"""(system, code) → the measures that ask for it."""


class Need(NamedTuple):
    """What a measure asks for: one of some codes."""

    measure: str
    codes: list[tuple[str, str]]
    """(system, code); of ICD-10-CM in a network's own measure, a category."""
    records: int
    """Records of the site that have one of them."""


def asked(value_sets: Path | None = None) -> Asked:
    """Every code that a measure asks for; those of value sets where a folder of them is given. OperatorError for a broken one."""
    sets = load_value_sets(value_sets, system=lambda uri: repaired_system(uri) or uri) if value_sets else None
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for measure, codes in _by_measure(sets):
        for code in codes:
            if measure not in found[code]:
                found[code].append(measure)
    return found


def needs(refresh: Refresh) -> list[Need]:
    """The single codes that measures ask for, with the records a site has of them."""
    held = Counter[str]()
    for number, codes in enumerate(refresh.store.contents.codes(refresh.site.site)):
        held.update(codes)
        if number % 10_000 == 0:
            refresh.progress("count", "codes", number)
    return [Need(measure, codes, sum(_held(held, *code) for code in codes)) for measure, codes in _by_measure(None)]


def _held(held: Counter[str], system: str, code: str) -> int:
    below = sum(held[each] for each in held if each.startswith(f"{code}.")) if system == ICD10CM else 0
    return held[code] + below


def _by_measure(sets: ValueSets | None) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each measure with codes of which one is enough."""
    for ours in measures().values():
        for named in ours.code_sets:
            yield ours.id, [(each.system, each.code) for each in (*named.codes, *named.categories)]
    for name in names():
        for each in sorted(_named_in(definition(name, max(EDITIONS))), key=repr):
            if isinstance(each, Code):
                yield name, [(each.system, each.code)]
            elif sets is not None and isinstance(each, ValueSet) and _is_there(sets, each):
                yield name, sorted(sets.codes([each]))


def _is_there(sets: ValueSets, wanted: ValueSet) -> bool:
    return any(wanted.oid in (each.oid, each.url) for each in sets.by_url.values())


def _named_in(declared: object) -> set[Codes]:
    """The codes and value sets that stand in a measure's declaration, wherever."""
    found: set[Codes] = set()
    waiting, seen = [declared], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, Code | ValueSet):
            found.add(each)
        elif isinstance(each, tuple | list | frozenset):
            waiting += each
        elif is_dataclass(each):
            waiting += [getattr(each, field.name) for field in fields(each)]
    return found
