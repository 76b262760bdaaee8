"""Records of another type that few resources, or parts of them, give beside their own."""

from collections.abc import Iterable
from functools import partial

import msgspec

from transforms.mapped import REF_BYTES, WHOLE, Mapped, new_record
from transforms.privacy import FieldPolicy, Pseudonyms
from transforms.privacy.pseudonyms import hexadecimal
from transforms.reading.memories import Note
from transforms.rules.declaring import Beside

_encode = msgspec.json.Encoder().encode


class Besides:
    """What one FHIR resource type gives beside."""

    def __init__(self, declared: Beside, *, site: str, pseudonyms: Pseudonyms) -> None:
        self._declared, self._site = declared, site
        self._keyed = pseudonyms.refs(b"beside/%b/" % declared.record.encode())
        self._mapping = b',"mapping":"%b@%d"' % (declared.record.encode(), declared.version)
        self._leaves = partial(FieldPolicy.load().leaves, declared.record)

    def of(self, record: Mapped, notes: Iterable[Note]) -> list[Mapped]:
        """What a record's own fields and what was said beside make: its id hangs on that of the record, as that of a part."""
        said = dict(pair for note in notes for pair in note.beside)
        made = self._declared.make(record.content, said) if said else None
        if made is None:
            return []
        id_ = record.id[:REF_BYTES] + self._keyed(record.id)[: len(WHOLE)]
        content: dict[str, object] = {
            "type": self._declared.record,
            "id": hexadecimal(b"r-", id_),
            "subject": hexadecimal(b"s-", record.subject),
            "site": self._site,
        }
        content |= {name: value for name, value in made.items() if value is not None and self._leaves(name)}
        source, _, rest = record.provenance.partition(b',"mapping":')
        _, flags, told = rest.partition(b',"flags":')
        provenance = b"".join((source, self._mapping, flags, told))
        return [new_record((id_, self._declared.record, record.subject, _encode(content), provenance, *record[5:]))]
