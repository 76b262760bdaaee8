"""Numbers: a quantity in the one unit of its code, whole numbers, true and false."""

from schemas.problems import Reason
from transforms.fhir.elements import (
    Quantity,
    Scalar,
    Unusable,
    decode,
    number_of,
    plain,
    text_of,
)
from transforms.rules.declaring import NOTHING, Found, Rule
from transforms.rules.setting import Setting
from transforms.rules.short_cuts import quantity_cut
from transforms.rules.units import in_unit, manner_of, number_in


def quantity(
    *,
    value: str,
    unit: str,
    raw_value: str,
    raw_unit: str,
    comparator: str,
    absent: str,
    unit_of: str,
) -> Rule:
    """Quantity → the value in the one unit of its code (units.csv), beside the value and unit as written.

    `unit_of` names the FHIR field with the code. Units that are unknown, contradicted or of another
    dimension are problems; implausible values are flagged, those without a unit too.
    """

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        source = decode(raw, Quantity | None)
        if source is None or source.value is None or bytes(source.value) == b"null":
            return Found({absent: "NI"})
        written, flags = number_in(source)
        bound = None if source.comparator is None else _comparator(source.comparator)
        manner = manner_of(source, companion, setting)
        if manner.fault is not None:
            raise Unusable(manner.fault, "code" if source.code is not None else "unit")
        number, noticed = in_unit(written, manner)
        values = {value: number, unit: manner.unit, raw_value: written, raw_unit: manner.shown, comparator: bound}
        return Found(values, (*flags, *noticed))

    gives = (value, unit, raw_value, raw_unit, comparator, absent)
    return Rule(gives, read, needs=unit_of, usual=quantity_cut)


def integer(*, value: str, raw_value: str) -> Rule:
    """integer → the value and the value as written."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if raw == b"null":
            return NOTHING
        written, quoted = number_of(raw)
        return Found({value: plain(written), raw_value: written}, ("number-as-text",) if quoted else ())

    return Rule((value, raw_value), read)


def boolean(name: str, *, as_code: bool = False, modifier: bool = False) -> Rule:
    """boolean → true or false; `as_code` gives the text "true" or "false". What a `modifier` says must be understood."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        said = text_of(decode(raw, Scalar)).lower()
        if said not in ("true", "false", ""):
            raise Unusable(Reason.MODIFIER_NOT_UNDERSTOOD if modifier else Reason.INVALID_FIELD)
        return Found({name: said if as_code else said == "true"}) if said else NOTHING

    return Rule((name,), read)


_COMPARATORS = frozenset({"<", "<=", ">=", ">"})


def _comparator(text: str) -> str:
    said = text.strip()
    if said not in _COMPARATORS:
        raise Unusable(Reason.INVALID_FIELD, "comparator")
    return said
