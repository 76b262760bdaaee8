"""What resources say of one another's records: a report names its results, a panel its members. It stands at a record's end."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import msgspec

from transforms.fhir.elements import Unusable
from transforms.mapped import WHOLE, Lent, Mapped, Outcomes, new_record
from transforms.privacy import Pseudonyms
from transforms.privacy.pseudonyms import hexadecimal
from transforms.reading.columns import Columns
from transforms.reading.memories import Leaves, members
from transforms.reading.references import References
from transforms.rules.declaring import LENT, Choice, Resource
from transforms.rules.links import named_by

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, str | list[str]]).decode


class Links:
    """The fields of a record that others say: none of its own resource's, so they can be put anew when those others change."""

    def __init__(self, names: Iterable[str], leaves: Leaves) -> None:
        self._names = tuple(name for name in names if leaves(name))
        listed = "".join(rf'(?:,"{name}":\[[^\]]*\])?' for name in self._names)
        self._end = re.compile(rf"{listed}\}}\Z".encode())

    def put(self, record: Mapped, said: Iterable[bytes]) -> Mapped:
        """The record with what is said of it now, in place of what was said before."""
        content = record.content
        found = self._end.search(content)
        assert found is not None
        links = _links(self._names, tuple(said))
        return new_record((*record[:3], b"%b%b}" % (content[: found.start()], links), *record[4:]))


@lru_cache(maxsize=4096)
def _links(names: tuple[str, ...], said: tuple[bytes, ...]) -> bytes:
    decoded = [_decode(each) for each in said]
    return members((name, sorted({str(each[name]) for each in decoded if name in each})) for name in names)


class Lending:
    """One FHIR resource type: what others say of its resources, and what they say of others of their type."""

    def __init__(self, resource: Resource, *, pseudonyms: Pseudonyms, references: References, leaves: Leaves) -> None:
        self._type, self._record = resource.source, resource.record
        self._lends, self._pseudonyms = resource.lends, pseudonyms
        self._look_up = references.lent if resource.lent and references.is_told else None
        self._links = Links(resource.lent, leaves)
        choices = [rule for rule in resource.fields.values() if isinstance(rule, Choice) and LENT in rule.instead]
        self._lacking = [name for rule in choices for name in (*rule.fields, *rule.instead) if name != LENT]

    def said(self, source: Columns, refs: Sequence[bytes]) -> Mapping[int, Sequence[bytes]]:
        """What others say of a batch's resources, by place; fields that only they can fill are read from it."""
        if self._look_up is None or not (known := self._look_up(refs)):
            return {}
        found = {place: known[ref] for place, ref in enumerate(refs) if ref in known}
        if self._lacking:
            source.add(
                LENT,
                [b"[%b]" % b",".join(found[place]) if place in found else None for place in range(source.count)],
            )
        return found

    def lacking(self, source: Columns) -> list[int]:
        """The places of resources that lack what others could tell; they are mapped again when those come."""
        return source.without(self._lacking) if self._lacking and self._look_up is not None else []

    def finish(
        self, outcomes: Outcomes, source: Columns, refs: Sequence[bytes], said: Mapping[int, Sequence[bytes]]
    ) -> None:
        """Links a batch's records, and adds what its resources say of others."""
        for place, those in said.items():
            if (record := outcomes.usual[place]) is not None:
                outcomes.usual[place] = self._links.put(record, those)
            elif (outcome := outcomes.unusual[place]).records:
                own = self._record
                records = [
                    self._links.put(record, those) if record.type == own else record for record in outcome.records
                ]
                outcomes.unusual[place] = outcome._replace(records=records)
        for field, name in self._lends.items():
            for place in source.standing(field):
                record = outcomes.usual[place] or next(iter(outcomes.unusual[place].records), None)
                if record is not None and (to := self._to(name, refs[place], source.contents(field)[place])):
                    outcomes.lent.append(Lent(refs[place], to, record.updated))

    def _to(self, name: str, ref: bytes, raw: bytes | None) -> dict[bytes, bytes]:
        try:
            named = named_by(raw or b"null", (self._type,))
        except Unusable:
            return {}  # the field's own rule says why
        said = _encode({name: hexadecimal(b"r-", ref + WHOLE)})
        found = {self._pseudonyms.ref(kind, ident): said for kind, ident in named}
        found.pop(ref, None)
        return found
