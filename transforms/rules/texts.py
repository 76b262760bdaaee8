"""Texts: what does not leave, and that a field is there at all."""

from transforms.fhir.elements import (
    decode,
    text_of,
)
from transforms.rules.declaring import NOTHING, Found, Rule
from transforms.rules.setting import Setting


def withheld(flag: str, **values: str) -> Rule:
    """Free text, or a type the model has no place for: it does not leave; a flag and a null flavour say so."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        return Found(dict(values), (flag,)) if raw != b"null" else NOTHING

    return Rule(tuple(values), read)


def presence() -> Rule:
    """A field of which only matters that it is there."""
    return Rule((), lambda raw, companion, setting: NOTHING)


def string_of(raw: bytes) -> str:
    """A JSON string without white space around it; empty for null. Raises Unusable."""
    return text_of(decode(raw, str | None))
