"""What has no meaning at a site: codes from the state, their texts, units and codes of refused lines from what was landed."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from connectors.formats.ndjson import read_lines
from mainstem.config.site_mapper import own_map, shared_map, site_mapper
from mainstem.refresh import Refresh
from schemas.outcomes import RECORD_TYPES, fhir_types_of, record_type_of
from schemas.problems import Problem, Reason
from transforms import Mapper
from transforms.codes.code_map import CodeMap, code_map
from transforms.codes.dose_units import dose_unit
from transforms.codes.kinds import target_of as word_target
from transforms.codes.systems import CPT, CVX, ICD10CM, LOINC, RXNORM, SNOMED, UCUM, repaired_system
from transforms.mapped import REF_BYTES

LOOKED_AT = 200_000
"""Landed lines of a type that are read for texts and units, the newest first."""
TEXTS = 3
"""Texts kept of one code."""
UNMAPPED = "code-unmapped"
_REFUSED = frozenset({Reason.MISSING_CODE, Reason.BAD_CODE})
_UNITS = frozenset({Reason.UNKNOWN_UNIT, Reason.UNIT_CONTRADICTED})
_OF_MEDICINES = frozenset(
    {"MedicationRequest", "MedicationDispense", "MedicationAdministration", "MedicationStatement", "Immunization"}
)
_AMOUNTS = frozenset(
    {"quantity", "dose", "doseQuantity", "rateQuantity", "maxDosePerAdministration", "maxDosePerLifetime", "numerator"}
    | {"low", "high"}
)
_WORDS_FOR = {"enrolment": "registry", "consent": "consent"}
"""Record types that want a word of the network's instead of a code."""
_SAYS_FOR_WHAT = frozenset({"Consent.scope", "Consent.provision.purpose"})
_NAMES = {"LOINC": LOINC, "SNOMED CT": SNOMED, "RxNorm": RXNORM, "CVX": CVX, "ICD-10-CM": ICD10CM, "CPT": CPT}
Json = dict[str, Any]


@dataclass
class Local:
    """One code, text, question or unit of a site's own."""

    system: str
    code: str
    target: str
    """The system in which its meaning is sought."""
    count: int = 0
    """Records of the site that carry it; of refused ones, resources."""
    types: set[str] = field(default_factory=set)
    texts: Counter[str] = field(default_factory=Counter)
    units: set[str] = field(default_factory=set)

    @property
    def hashed(self) -> bool:
        """Whether it is told as records carry it, not as the hospital writes it."""
        return self.system.startswith("urn:mainstem:") or self.code.startswith("h-")

    @property
    def shown_texts(self) -> list[str]:
        """How it is called, the most frequent first."""
        return [text for text, _ in self.texts.most_common(TEXTS)]


@dataclass
class Gathered:
    """What has no meaning at a site, and how much was looked at for it."""

    locals: dict[tuple[str, str, str], Local] = field(default_factory=dict)
    """By (system, code, target system)."""
    looked_at: int = 0
    """Landed lines that were read."""
    cut: set[str] = field(default_factory=set)
    """Types of which more was landed than was read."""
    waiting: int = 0
    """Codes that the code map names by now, and what is stored does not say yet."""
    waiting_lines: int = 0
    """Lines that were refused for a unit, all of whose units are known by now."""

    def local(self, system: str, code: str, target: str) -> Local:
        """The one of that name, new where it is not known."""
        return self.locals.setdefault((system, code, target), Local(system, code, target))


def of_records(refresh: Refresh) -> Gathered:
    """What a site's records hold without a meaning, as they carry it."""
    gathered = Gathered()
    for kind, content in refresh.store.contents.flagged(refresh.site.site, UNMAPPED):
        _add_record(gathered, kind, msgspec.json.decode(content))
    return gathered


def as_written(refresh: Refresh, some: Iterable[Local]) -> None:
    """Gives some the system and code that the hospital itself writes, where its lines are kept: records carry what is local hashed."""
    hidden = Gathered({(local.system, local.code, local.target): local for local in some if local.hashed})
    if hidden.locals:
        _Lines(refresh, hidden, {}, only_names=True).name()


def gather(refresh: Refresh) -> Gathered:
    """All that a site's records and landed lines hold without a meaning."""
    gathered = of_records(refresh)
    _add_figures(gathered, refresh)
    meant = code_map([*shared_map(refresh.file), *own_map(refresh.file)])
    _Lines(refresh, gathered, meant).read()
    _set_aside(gathered, meant)
    return gathered


def _set_aside(gathered: Gathered, meant: CodeMap) -> None:
    """What the code map names is people's work that is done."""
    for key, local in list(gathered.locals.items()):
        if local.target in meant.get((repaired_system(local.system) or "", local.code.strip()), {}):
            del gathered.locals[key]
            gathered.waiting += 1


def _add_record(gathered: Gathered, kind: str, record: Json) -> None:
    target = target_of(kind)
    if not target or record.get("code"):
        return  # what has no meaning is another field
    for coding in record.get("codings", ()):
        local = gathered.local(coding.get("system", ""), coding["code"], target)
        local.count += 1
        local.types.add(kind)
        if unit := record.get("unit"):
            local.units.add(unit)


def _add_figures(gathered: Gathered, refresh: Refresh) -> None:
    """Codes that no record carries as its own (a visit's class, an answer): as often as the load that met most
    of them counted, of those that read with the code map as it is."""
    most: Counter[tuple[str, str, str]] = Counter()
    types: dict[tuple[str, str, str], set[str]] = {}
    mapper = site_mapper(refresh.file, refresh.secrets)
    for name in refresh.site.types:
        for counts in refresh.store.loads.mapped_by(refresh.site.site, name, mapper.identity(name).hex()):
            for line, count in counts.unmapped.items():
                key = _cells(line)
                most[key] = max(most[key], count)
                types.setdefault(key, set()).add(record_type_of(name) or name)
    for key, count in most.items():
        if key not in gathered.locals:
            local = gathered.local(*key)
            local.count, local.types = count, types[key]


def _cells(line: str) -> tuple[str, str, str]:
    system, code, target = next(csv.reader([line]))
    return system, code, target


@cache
def target_of(record_type: str) -> str:
    """The system in which a record type wants its code; empty where it has none."""
    if record_type in _WORDS_FOR:
        return word_target(_WORDS_FOR[record_type])
    fields = RECORD_TYPES[record_type].model_fields if record_type in RECORD_TYPES else {}
    extra = fields["code"].json_schema_extra if "code" in fields else None
    said = str(extra.get("terminology", "")) if isinstance(extra, dict) else ""
    return _NAMES.get(said.split(",")[0], "")


class _Lines:
    """What landed, and what is in quarantine of it, the newest first."""

    def __init__(self, refresh: Refresh, gathered: Gathered, meant: CodeMap, *, only_names: bool = False) -> None:
        self._only_names = only_names
        self._mapper: Mapper = site_mapper(refresh.file, refresh.secrets)
        self._unmapped = site_mapper(refresh.file, refresh.secrets, with_map=False)
        self._meant = meant
        self._refresh, self._gathered = refresh, gathered
        self._wanted = {(local.system, local.code): local for local in gathered.locals.values()}
        self._refused = {each.ref: each for each in refresh.store.quarantine.of(refresh.site.site)}
        self._counted: set[bytes] = set()
        self._in_parts: set[bytes] = set()
        self._read: Counter[str] = Counter()

    def read(self) -> None:
        """All of it, up to LOOKED_AT lines a type."""
        for _, landing in self._refresh.landing_zone.loads():
            for name, path in landing.quarantined():
                self._each(name, path, self._see_refused)
            for name in landing.types():
                for path in landing.files(name):
                    self._each(name, path, self._see)
        self._gathered.looked_at = self._read.total()

    def _done(self) -> bool:
        """Whether all that is only to be named is."""
        return self._only_names and not any(local.hashed for local in self._wanted.values())

    def _each(self, name: str, path: Path, see: Callable[[str, bytes, Json], None]) -> None:
        for line in read_lines(path, cap=self._refresh.site.limits.line_bytes):
            if self._done():
                return
            if self._read[name] >= LOOKED_AT:
                self._gathered.cut.add(name)
                return
            self._read[name] += 1
            if self._read[name] % 1000 == 0:
                self._refresh.progress("look", name, self._read[name])
            if not isinstance(line, Problem) and isinstance(resource := _decoded(line), dict):
                see(name, line, resource)

    def name(self) -> None:
        """How wanted codes are called and written, and no more: the newest lines of their types first, until none is hashed."""
        types = {
            fhir_type for local in self._wanted.values() for kind in local.types for fhir_type in fhir_types_of(kind)
        }
        for _, landing in self._refresh.landing_zone.loads():
            for name in types.intersection(landing.types()):
                for path in landing.files(name):
                    self._each(name, path, self._see_names)

    def _see_names(self, name: str, _line: bytes, resource: Json) -> None:
        for concept in _concepts(resource):
            for coding in concept["coding"]:
                self._name(coding, concept.get("text"))
        if name == "Encounter":
            self._name(resource.get("class"), None)
        for asked in (*_questions(resource), *_answers(resource)) if name.startswith("Questionnaire") else ():
            self._name(asked, None)

    def _see(self, name: str, line: bytes, resource: Json) -> None:
        self._see_names(name, line, resource)
        if name == "Observation":
            for quantity in _quantities(resource):
                self._count_unit(name, resource, quantity)
            self._count_parts(name, resource)
        if name in _OF_MEDICINES:
            for quantity in _amounts(resource):
                if not any(dose_unit(str(quantity.get(key) or "")) for key in ("code", "unit")):
                    self._count_unit(name, resource, quantity)

    def _name(self, coding: Any, text: Any) -> None:
        """How a wanted code is called, and how the source writes it."""
        if not (isinstance(coding, dict) and isinstance(code := coding.get("code"), str)):
            return
        system = coding.get("system") if isinstance(coding.get("system"), str) else None
        shown = (each.shown_coding(system, code) for each in (self._mapper, self._unmapped))
        local = next(filter(None, map(self._wanted.get, shown)), None)
        if local is not None:
            local.system, local.code = system or "", code
            if isinstance(said := coding.get("display") or text, str):
                local.texts[said] += 1

    def _see_refused(self, name: str, line: bytes, resource: Json) -> None:
        ref = self._mapper.record_ids(name, [line])[0][:REF_BYTES]
        refused = self._refused.get(ref)
        if refused is None or ref in self._counted:
            return
        self._counted.add(ref)
        if refused.reason in _REFUSED:
            field = refused.path.split(".")[1].split("[")[0] if "." in refused.path else ""
            for concept in _parts_of(resource) if field == "component" else _listed(resource.get(field)):
                self._count_code(name, concept)
        elif refused.path in _SAYS_FOR_WHAT:
            for concept in _purposes(resource):
                self._count_code(name, concept)
        elif refused.reason in _UNITS:
            told = list(_quantities(resource))
            known = [self._mapper.is_unit(msgspec.json.encode(each)) for each in told]
            self._gathered.waiting_lines += bool(known) and all(known)
            for quantity in told:
                self._count_unit(name, {}, quantity)

    def _count_code(self, name: str, concept: Json) -> None:
        """What a refused resource has in its code's place: a text alone, or codings that are none."""
        target = target_of(record_type_of(name) or "")
        codings = [each for each in _listed(concept.get("coding")) if isinstance(each.get("code"), str)]
        named = [(str(each.get("system") or ""), each["code"], each.get("display")) for each in codings]
        text = concept.get("text")
        for system, code, said in named or ([("", text, text)] if isinstance(text, str) and text.strip() else []):
            local = self._gathered.local(system, code.strip(), target)
            local.count += 1
            local.types.add(record_type_of(name) or name)
            if isinstance(called := said or text, str):
                local.texts[called] += 1

    def _count_parts(self, name: str, resource: Json) -> None:
        """Components that are called by a text alone: without a meaning for it they are left out of their panel."""
        texts = [concept.get("text") for concept in _parts_of(resource) if not _listed(concept.get("coding"))]
        unknown = {each.strip() for each in texts if isinstance(each, str) and each.strip()}
        if not (unknown := {each for each in unknown if ("", each) not in self._meant}):
            return
        ref = self._mapper.record_ids(name, [msgspec.json.encode(resource)])[0][:REF_BYTES]
        if ref in self._refused or ref in self._in_parts:
            return
        self._in_parts.add(ref)
        for text in unknown:
            self._count_code(name, {"text": text})

    def _count_unit(self, name: str, resource: Json, quantity: Json) -> None:
        written = next(
            (quantity[key] for key in ("code", "unit") if isinstance(quantity.get(key), str) and quantity[key]), ""
        )
        if not written or self._mapper.is_unit(msgspec.json.encode(quantity)):
            return
        if resource:
            ref = self._mapper.record_ids(name, [msgspec.json.encode(resource)])[0][:REF_BYTES]
            if ref in self._refused or ref in self._counted:
                return  # it is counted where it was refused
            self._counted.add(ref)
        system = quantity.get("system") if quantity.get("code") else ""
        local = self._gathered.local(str(system or ""), written, UCUM)
        local.count += 1
        local.types.add(record_type_of(name) or name)
        local.texts[str(quantity.get("unit") or written)] += 1


def _purposes(consent: Json) -> Iterator[Json]:
    """What a consent says it is for: its scope, its categories, the purposes of its provision."""
    yield from _listed(consent.get("scope"))
    yield from _listed(consent.get("category"))
    provision = consent.get("provision")
    for coding in _listed(provision.get("purpose")) if isinstance(provision, dict) else ():
        yield {"coding": [coding]}


def _answers(value: Any) -> Iterator[Json]:
    """Every coded answer in a form, wherever it stands."""
    if isinstance(value, dict):
        if isinstance(value.get("valueCoding"), dict):
            yield value["valueCoding"]
        yield from (found for each in value.values() for found in _answers(each))
    elif isinstance(value, list):
        yield from (found for each in value for found in _answers(each))


def _decoded(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None  # the map step counted and kept it


def _concepts(value: Any) -> Iterator[Json]:
    """Every CodeableConcept in a resource, wherever it stands."""
    if isinstance(value, dict):
        if isinstance(value.get("coding"), list):
            yield value
        for inner in value.values():
            yield from _concepts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _concepts(inner)


def _questions(resource: Json) -> Iterator[Json]:
    """The items of a Questionnaire or a response to one as codings: its canonical URL and their linkId."""
    url = resource.get("questionnaire") or resource.get("url")
    waiting = list(_listed(resource.get("item")))
    while waiting:
        item = waiting.pop()
        yield {"system": str(url or "").partition("|")[0], "code": item.get("linkId"), "display": item.get("text")}
        waiting += _listed(item.get("item"))


def _quantities(resource: Json) -> Iterator[Json]:
    """The values of an Observation and of its components that are quantities."""
    for each in (resource, *_listed(resource.get("component"))):
        if isinstance(quantity := each.get("valueQuantity"), dict):
            yield quantity


def _amounts(value: Any, name: str = "") -> Iterator[Json]:
    """The amounts in a resource about a medicine, wherever they stand; times and how often are none."""
    if isinstance(value, dict):
        if name in _AMOUNTS and "value" in value:
            yield value
        for inner_name, inner in value.items():
            yield from _amounts(inner, inner_name)
    elif isinstance(value, list):
        for inner in value:
            yield from _amounts(inner, name)


def _parts_of(resource: Json) -> Iterator[Json]:
    """The concepts of an Observation's components."""
    for part in _listed(resource.get("component")):
        if isinstance(concept := part.get("code"), dict):
            yield concept


def _listed(value: Any) -> Iterable[Json]:
    """The objects of a list, or the one that stands in its place."""
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]
