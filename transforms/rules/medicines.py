"""Medicines: what was ordered, how much of it, for how long."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from msgspec import Raw, Struct
from msgspec.json import encode

from schemas.problems import Reason
from transforms.codes.units import (
    SAME,
    UnitFault,
    conversion,
    is_ucum,
    shareable,
    without_annotations,
)
from transforms.fhir.elements import (
    CodeableConcept,
    Period,
    Quantity,
    Reference,
    Scalar,
    Unusable,
    decode,
    plain,
    text_of,
)
from transforms.rules.codes import coded_found
from transforms.rules.concepts import chosen_code, usable_codings
from transforms.rules.declaring import NOTHING, Found, Rule
from transforms.rules.setting import Setting
from transforms.rules.times import period_found
from transforms.rules.units import given_unit, number_in


class _Ingredient(Struct, gc=False):
    itemCodeableConcept: CodeableConcept | None = None


class _Medication(Struct, gc=False, omit_defaults=True):
    id: Scalar = None
    status: Scalar = None
    code: CodeableConcept | None = None
    ingredient: list[_Ingredient] | None = None


def kept_medication(raw: bytes) -> bytes | None:
    """A Medication → its code and the codes of its ingredients, as a Medication of these alone. Raises Unusable."""
    source: _Medication = decode(raw, _Medication)
    if text_of(source.status).lower() == "entered-in-error":
        return None
    parts = (part.itemCodeableConcept for part in source.ingredient or [])
    kept = sorted(encode({"itemCodeableConcept": _kept(part)}) for part in parts if part is not None)
    return encode({"code": _kept(source.code), "ingredient": list(map(Raw, kept))})


def _kept(concept: CodeableConcept | None) -> dict[str, Any] | None:
    """Codings without display; the text serves the site's code map."""
    if concept is None:
        return None
    codings = sorted((coding.system or "", text_of(coding.code)) for coding in concept.codings)
    listed = [{"system": system or None, "code": code} for system, code in dict.fromkeys(codings) if code]
    return {"coding": listed, "text": text_of(concept.text) or None}


def medication(*, every: str, ingredients: str, ingredient_system: str, **targets: str | tuple[str, ...]) -> Rule:
    """Reference to a Medication → the code of the one contained, or of the one looked up. Without a drug there is no record."""
    wanted = {name: (systems,) if isinstance(systems, str) else systems for name, systems in targets.items()}

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        named = ((decode(raw, Reference | None) or Reference()).reference or "").strip()
        source = _contained(named[1:], companion) if named.startswith("#") else _looked_up(companion)
        if source is None:
            raise Unusable(Reason.UNKNOWN_MEDICATION, "reference")
        if source.code is None:
            raise Unusable(Reason.MISSING_CODE, "reference")
        found = coded_found(source.code, wanted, every, Reason.MISSING_CODE, setting)
        parts = [part.itemCodeableConcept for part in source.ingredient or [] if part.itemCodeableConcept]
        codes = (chosen_code(usable_codings(part)[0], (ingredient_system,), setting.codes) for part in parts)
        found.values[ingredients] = sorted({code for code in codes if code})
        return found

    return Rule((*wanted, every, ingredients), read, needs="contained", refers="Medication")


def _contained(name: str, companion: bytes | None) -> _Medication:
    listed: list[_Medication] = (decode(companion, list[_Medication] | None) if companion else None) or []
    return next((each for each in listed if text_of(each.id).removeprefix("#") == name and each.code), _Medication())


def _looked_up(companion: bytes | None) -> _Medication | None:
    found: _Medication | None = decode(companion, _Medication) if companion else None
    return found


class _DoseAndRate(Struct, gc=False):
    doseQuantity: Quantity | None = None


class _Dosage(Struct, gc=False):
    doseAndRate: list[_DoseAndRate] | None = None
    asNeededBoolean: Scalar = None
    asNeededCodeableConcept: CodeableConcept | None = None


def dosage(*, dose: str, unit: str, as_needed: str) -> Rule:
    """List of Dosage → the single dose of the first, and whether it is taken as needed; its text is not read."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        first = next(iter(decode(raw, list[_Dosage] | None) or []), None)
        if first is None:
            return NOTHING
        said = text_of(first.asNeededBoolean).lower()
        needed = True if first.asNeededCodeableConcept is not None else {"true": True, "false": False}.get(said)
        amount = next((part.doseQuantity for part in first.doseAndRate or [] if part.doseQuantity), None)
        found = _amount(amount, dose, unit, setting)
        return replace(found, values=found.values | {as_needed: needed})

    return Rule((dose, unit, as_needed), read)


def _amount(source: Quantity | None, value: str, unit: str, setting: Setting) -> Found:
    """A quantity that does not decide whether its resource is usable: `2 tablets` is left out and flagged."""
    if source is None or source.value is None or bytes(source.value) == b"null":
        return NOTHING
    written, flags = number_in(source)
    given, _ = given_unit(source, setting)
    if given and not is_ucum(given):
        return Found({}, (*flags, "dose-unit-unknown"))
    return Found({value: plain(written), unit: shareable(given)}, flags)


class _Dispense(Struct, gc=False):
    validityPeriod: Period | None = None
    expectedSupplyDuration: Quantity | None = None


def dispense(*, end: tuple[str, str], days: str) -> Rule:
    """dispenseRequest → the end of its validity and the days of supply."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        source = decode(raw, _Dispense | None) or _Dispense()
        found = period_found(source.validityPeriod or Period(), None, end, setting)
        supply = source.expectedSupplyDuration
        if supply is None or supply.value is None or bytes(supply.value) == b"null":
            return found
        written, flags = number_in(supply)
        given = without_annotations(given_unit(supply, setting)[0])
        try:
            turn = conversion(given, "d")
        except UnitFault:
            return replace(found, flags=(*found.flags, *flags, "supply-unit-unknown"))
        amount = plain(written) if turn is SAME else plain(turn.of(Decimal(written)))
        return replace(found, values=found.values | {days: amount}, flags=(*found.flags, *flags))

    return Rule((*end, days), read)
