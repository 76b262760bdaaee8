"""Links from one record to another."""

from transforms.fhir.elements import (
    Reference,
    decode,
    reference_id,
)
from transforms.mapped import WHOLE
from transforms.privacy.pseudonyms import hexadecimal
from transforms.rules.declaring import NOTHING, Found, Rule
from transforms.rules.setting import Setting
from transforms.rules.short_cuts import link_cut


def link(name: str, resource_type: str) -> Rule:
    """Reference → the record id of the resource it names; none where that cannot be told."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        named = reference_id(decode(raw, Reference | None), resource_type)
        if named is None:
            return NOTHING
        return Found({name: hexadecimal(b"r-", setting.pseudonyms.ref(resource_type, named) + WHOLE)})

    return Rule((name,), read, usual=link_cut(resource_type))
