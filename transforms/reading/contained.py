"""Facts that stand in another resource and nowhere else: the results that a report contains."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Raw

from schemas.problems import Problem
from transforms.fhir.elements import text_of
from transforms.mapped import REF_BYTES, WHOLE, Lent, Mapped, Outcomes, new_record
from transforms.reading.lending import Links
from transforms.reading.memories import Leaves
from transforms.reading.noticed import WITHDRAWN, Noticed
from transforms.reading.reader import Reader
from transforms.reading.references import References
from transforms.rules.declaring import Contains, Resource
from transforms.rules.setting import Setting

_INHERITED = ("subject", "meta")
"""What the holder says for those in it that do not say it."""
_ID = re.compile(rb"(?<=\"r-)[0-9a-f]{32}(?=\")")
_encode = msgspec.json.Encoder().encode
_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_many = msgspec.json.Decoder(list[Raw]).decode
_name = msgspec.json.Decoder(str | int | float | bool | None).decode


class Inner(NamedTuple):
    """A holder's line, and the lines of those in it, under names that hold outside."""

    line: bytes
    held: dict[bytes, bytes]
    """Ref → line."""
    places: list[int]
    """Where each stands among what is contained."""


class ContainedReader:
    """Reads what holders of one type contain. The records are the holder's: what it no longer contains is no longer so."""

    def __init__(
        self,
        declared: Contains,
        holder: str,
        resource: Resource,
        *,
        site: str,
        setting: Setting,
        leaves: Leaves,
        noticed: Noticed,
    ) -> None:
        self._type, self._holder, self._by = resource.source, holder, declared.by
        self._said: dict[bytes, list[bytes]] = {}
        references = References(setting.pseudonyms, None, self._lent)
        self._reader = Reader(
            resource, site=site, setting=setting, references=references, leaves=leaves, noticed=noticed
        )
        self._links, self._noticed = Links(resource.lent, leaves), noticed
        self._ref = setting.pseudonyms.refs(resource.source.encode() + b"/")
        self._keyed = setting.pseudonyms.refs(b"contained/")
        self._word = b'"%b"' % resource.source.encode()

    def _lent(self, refs: Collection[bytes]) -> Mapping[bytes, Sequence[bytes]]:
        return {ref: self._said[ref] for ref in refs if ref in self._said}

    def open(self, line: bytes, ref: bytes) -> Inner | None:
        """What a holder's line contains; None for nothing of the type. Raises msgspec's errors."""
        if b'"contained"' not in line or self._word not in line:
            return None
        fields = _fields(line)
        found = [(place, each) for place, each in enumerate(_objects(fields, "contained")) if self._is_one(each)]
        if not found:
            return None
        names = [self._named(ref, place, each) for place, each in found]
        local = {f"#{_local(each)}": f"{self._type}/{name}" for (_, each), name in zip(found, names, strict=True)}
        listed: list[object] = [*_objects(fields, self._by)]
        fields[self._by] = Raw(_encode([*listed, *({"reference": f"{self._type}/{name}"} for name in names)]))
        lines = [self._alone(name, fields, each) for (_, each), name in zip(found, names, strict=True)]
        refs = [self._ref(name.encode())[:REF_BYTES] for name in names]
        held = {each: _renamed(line, local) for each, line in zip(refs, lines, strict=True)}
        return Inner(_renamed(_encode(fields), local), held, [place for place, _ in found])

    def _is_one(self, fields: Mapping[str, Raw]) -> bool:
        return bytes(fields.get("resourceType", b"")) == self._word

    def _named(self, ref: bytes, place: int, fields: Mapping[str, Raw]) -> str:
        """An id by what it is called in its holder; where it is called nothing, by its place."""
        return self._keyed(b"%b/%b" % (ref, (_local(fields) or f"[{place}]").encode())).hex()

    def _alone(self, name: str, holder: Mapping[str, Raw], own: Mapping[str, Raw]) -> bytes:
        """One of them as a resource of its own."""
        told = {**{each: holder[each] for each in _INHERITED if each in holder}, **own}
        rest = {each: raw for each, raw in told.items() if each not in ("id", "resourceType")}
        return _encode({"resourceType": self._type, "id": name, **rest})

    def read(self, inner: Inner, ref: bytes, lent: Lent) -> tuple[list[Mapped], list[Problem]]:
        """Records under the holder's ref, and why some gave none; what the holder lends those in it is put into them."""
        self._said = {each: [lent.to.pop(each)] for each in inner.held if each in lent.to}
        outcomes = self._reader.read(list(inner.held.values()))
        for panel in outcomes.lent:  # of one another
            for each, said in panel.to.items():
                self._said.setdefault(each, []).append(said)
        records = [self._links.put(record, self._said.get(record.id[:REF_BYTES], ())) for record in outcomes.records]
        return self._moved(records, ref, inner), self._problems(outcomes, inner.places)

    def _problems(self, outcomes: Outcomes, places: Sequence[int]) -> list[Problem]:
        """Why some gave no record; counted as parts of the holder."""
        found, parts = list[Problem](), self._noticed.parts
        parts[self._holder, ""] += len(outcomes.usual)
        for place, outcome in sorted(outcomes.unusual.items()):
            parts[self._holder, WITHDRAWN] += outcome.withdrawn
            if outcome.problem is not None:
                parts[self._holder, outcome.problem.reason.value] += 1
            for each in filter(None, (outcome.problem, *outcome.left_out)):
                inside = each.path.removeprefix(self._type)
                found.append(Problem(each.reason, self._holder, f"{self._holder}.contained[{places[place]}]{inside}"))
        return found

    def _moved(self, records: Sequence[Mapped], ref: bytes, inner: Inner) -> list[Mapped]:
        """The records with ids of the holder's, wherever these stand."""
        new: dict[bytes, bytes] = {}
        taken = {WHOLE}
        for old in sorted({*(record.id for record in records), *(each + WHOLE for each in inner.held)}):
            number, attempt = self._keyed(old)[: len(WHOLE)], 1
            while number in taken:
                attempt += 1
                number = self._keyed(b"%d/%b" % (attempt, old))[: len(WHOLE)]
            taken.add(number)
            new[old] = ref + number
        written = {old.hex().encode(): id_.hex().encode() for old, id_ in new.items()}
        moved = []
        for record in records:
            content = _ID.sub(lambda found: written.get(found[0], found[0]), record.content)
            was = b'"type":"%b","ref":"h-%b"' % (self._type.encode(), record.id[:REF_BYTES].hex().encode())
            now = b'"type":"%b","ref":"h-%b"' % (self._holder.encode(), ref.hex().encode())
            provenance = record.provenance.replace(was, now, 1)
            moved.append(new_record((new[record.id], record.type, record.subject, content, provenance, *record[5:])))
        return moved


def _objects(fields: Mapping[str, Raw], name: str) -> list[dict[str, Raw]]:
    """The objects of a list, or one alone; what is no object keeps its place, empty."""
    return [_object(each) for each in _listed(bytes(fields.get(name, b"null")))]


def _listed(raw: bytes) -> list[Raw]:
    return _many(raw) if raw[:1] == b"[" else [Raw(raw)]


def _object(raw: Raw) -> dict[str, Raw]:
    return _fields(bytes(raw)) if bytes(raw)[:1] == b"{" else {}


def _local(fields: Mapping[str, Raw]) -> str:
    """What it is called in its holder."""
    return text_of(_name(fields["id"])).removeprefix("#") if "id" in fields else ""


def _renamed(line: bytes, names: Mapping[str, str]) -> bytes:
    for local, name in names.items():
        if local != "#":
            line = line.replace(_encode(local), _encode(name))
    return line
