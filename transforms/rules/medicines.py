"""Medicines: what was ordered, how much of it, for how long."""

from typing import Any

from msgspec import Raw, Struct
from msgspec.json import encode

from schemas.problems import Reason
from transforms.fhir.elements import (
    CodeableConcept,
    Period,
    Quantity,
    Reference,
    Scalar,
    Unusable,
    decode,
    number_of,
    plain,
    text_of,
)
from transforms.rules.codes import coded_found
from transforms.rules.concepts import chosen_code, shared_codings, usable_codings
from transforms.rules.declaring import Choice, Found, Rule, choice
from transforms.rules.dosage import Ratio, amount, amount_per, days_of, ends
from transforms.rules.setting import Setting
from transforms.rules.times import period_found

_ABSENT: Any = None


class _Kind(Struct, gc=False):
    resourceType: Scalar = None


class _Ingredient(Struct, gc=False):
    itemCodeableConcept: CodeableConcept | None = None
    itemReference: Reference | None = None
    isActive: Scalar = None
    strength: Ratio | None = None
    modifierExtension: Raw = _ABSENT


class _Medication(Struct, gc=False, omit_defaults=True):
    id: Scalar = None
    status: Scalar = None
    code: CodeableConcept | None = None
    ingredient: list[_Ingredient] | None = None
    contained: "list[_Medication] | None" = None

    modifierExtension: Raw = _ABSENT
    implicitRules: Raw = _ABSENT

    def mixture(self, beside: "list[_Medication] | None" = None) -> list[tuple[CodeableConcept, Ratio | None]]:
        """The active ingredients and their strengths; those named by reference are among the contained ones, or not known."""
        known = {text_of(each.id).removeprefix("#"): each.code for each in (self.contained or beside or [])}
        active = [part for part in self.ingredient or [] if text_of(part.isActive).lower() != "false"]
        named = (((part.itemReference and part.itemReference.reference) or "").strip() for part in active)
        found = [
            part.itemCodeableConcept or (known.get(name[1:]) if name.startswith("#") else None)
            for part, name in zip(active, named, strict=True)
        ]
        strengths = [part.strength for part in active]
        return [(concept, strength) for concept, strength in zip(found, strengths, strict=True) if concept is not None]


def kept_medication(raw: bytes) -> bytes | None:
    """A Medication → its code and the codes of its ingredients, as a Medication of these alone. Raises Unusable."""
    source: _Medication = decode(raw, _Medication)
    if _is_error(source):
        return None
    _refuse_modified(source)
    kept = sorted(
        encode({"itemCodeableConcept": _kept(part), **({"strength": strength} if strength else {})})
        for part, strength in source.mixture()
    )
    return encode({"code": _kept(source.code), "ingredient": list(map(Raw, kept))})


def _is_error(source: _Medication) -> bool:
    """Whether a Medication is said to be one. Raises Unusable."""
    status = "-".join(text_of(source.status).lower().split())
    if status not in ("active", "inactive", "entered-in-error", ""):
        raise Unusable(Reason.MODIFIER_NOT_UNDERSTOOD, "status")
    return status == "entered-in-error"


def _refuse_modified(source: _Medication) -> None:
    """Raises Unusable for a Medication of which something is modified in a way nobody here knows."""
    for name, marked in (
        ("implicitRules", source.implicitRules is not None),
        ("modifierExtension", source.modifierExtension is not None),
        ("ingredient.modifierExtension", any(part.modifierExtension is not None for part in source.ingredient or [])),
    ):
        if marked:
            raise Unusable(Reason.MODIFIER_NOT_UNDERSTOOD, name)


def _kept(concept: CodeableConcept | None) -> dict[str, Any] | None:
    """Codings without display; the text serves the site's code map."""
    if concept is None:
        return None
    codings = sorted((coding.system or "", text_of(coding.code)) for coding in concept.codings)
    listed = [{"system": system or None, "code": code} for system, code in dict.fromkeys(codings) if code]
    return {"coding": listed, "text": text_of(concept.text) or None}


def medication(
    *,
    every: str,
    ingredients: str,
    ingredient_system: str,
    strengths: str,
    by_reference: str,
    **targets: str | tuple[str, ...],
) -> Rule:
    """Reference to a Medication → the code of the one contained, or of the one looked up. Without a drug there is no record."""
    wanted = {name: (systems,) if isinstance(systems, str) else systems for name, systems in targets.items()}

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        named = ((decode(raw, Reference | None) or Reference()).reference or "").strip()
        source = _contained(named[1:], companion) if named.startswith("#") else _looked_up(companion)
        if source is None or _is_error(source):
            raise Unusable(Reason.UNKNOWN_MEDICATION, "reference")
        _refuse_modified(source)
        parts = source.mixture(_all_contained(companion) if named.startswith("#") else None)
        coded = [
            (chosen_code(usable_codings(part, setting).found, (ingredient_system,), setting.codes), strength)
            for part, strength in parts
        ]
        mixed = sorted({code for code, _ in coded if code})
        try:
            found = coded_found(source.code or CodeableConcept(), wanted, every, Reason.MISSING_CODE, setting)
        except Unusable:
            if not mixed:
                raise Unusable(Reason.MISSING_CODE, "reference") from None
            found = Found(flags=("mixture-without-code",))
        strong = [_strength(code, strength, setting) for code, strength in coded if code and strength]
        told = sorted((each for each in strong if each), key=encode)
        found.values |= {ingredients: mixed, strengths: told, by_reference: True}
        return found

    return Rule((*wanted, every, ingredients, strengths, by_reference), read, needs="contained", refers="Medication")


def _strength(code: str, source: Ratio, setting: Setting) -> dict[str, Any] | None:
    """How much of an ingredient there is in how much of the medicine; None where that cannot be read."""
    over = amount(source.numerator, "value", "unit", setting).values
    under = amount(source.denominator, "per", "per_unit", setting).values
    return {"code": code, **over, **under} if over.get("unit") else None


def _contained(name: str, companion: bytes | None) -> _Medication:
    listed = _all_contained(companion)
    return next((each for each in listed if text_of(each.id).removeprefix("#") == name), _Medication())


def _all_contained(companion: bytes | None) -> list[_Medication]:
    """The Medications and Substances among what is contained; the others are not read."""
    listed: list[Raw] = (decode(companion, list[Raw] | None) if companion else None) or []
    told = [bytes(each) for each in listed if bytes(each) != b"null"]
    return [
        decode(each, _Medication) for each in told if decode(each, _Kind).resourceType in ("Medication", "Substance")
    ]


def _looked_up(companion: bytes | None) -> _Medication | None:
    found: _Medication | None = decode(companion, _Medication) if companion else None
    return found


class _Dispense(Struct, gc=False):
    validityPeriod: Period | None = None
    expectedSupplyDuration: Quantity | None = None
    quantity: Quantity | None = None
    numberOfRepeatsAllowed: Raw = _ABSENT


def dispense() -> Rule:
    """dispenseRequest → days of supply, quantity, refills; the end of its validity where no dosage tells an end."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        source = decode(raw, _Dispense | None) or _Dispense()
        found = Found() if ends(companion, setting) else _validity(source, setting)
        supply = days_of(source.expectedSupplyDuration, "days_supply", setting)
        quantity = amount(source.quantity, "quantity", "quantity_unit", setting)
        refills = _refills(source.numberOfRepeatsAllowed)
        parts = (found, supply, quantity, refills)
        values = {name: value for part in parts for name, value in part.values.items()}
        dropped = tuple(f"validityPeriod.{path}" for path in found.dropped)
        return Found(values, tuple(dict.fromkeys(flag for part in parts for flag in part.flags)), dropped=dropped)

    gives = ("end", "end_date", "days_supply", "quantity", "quantity_unit", "refills")
    return Rule(gives, read, needs="dosageInstruction")


def _validity(source: _Dispense, setting: Setting) -> Found:
    return period_found(source.validityPeriod or Period(), None, ("end", "end_date"), setting)


def _refills(raw: Any) -> Found:
    if raw is None or bytes(raw) == b"null":
        return Found()
    try:
        value = plain(number_of(bytes(raw))[0])
    except Unusable:
        return Found({}, ("refills-unreadable",))
    return Found({"refills": value}) if bytes(value).isdigit() else Found({}, ("refills-unreadable",))


def statement_period(dosage_field: str) -> Rule:
    """effectivePeriod → start and end; the end only where no dosage tells one."""
    gives = ("start", "start_date", "end", "end_date")

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        told = ends(companion, setting)
        source = decode(raw, Period | None) or Period()
        return period_found(source, gives[:2], None if told else gives[2:], setting)

    return Rule(gives, read, needs=dosage_field)


def supply(name: str) -> Rule:
    """Quantity of time → days."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        return days_of(decode(raw, Quantity | None), name, setting)

    return Rule((name,), read)


def amount_of(value: str, unit: str, *, unknown: str = "") -> Rule:
    """Quantity of a medicine → the amount, in UCUM or a countable form; a number that says it is not known is none."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = amount(decode(raw, Quantity | None), value, unit, setting)
        if unknown and bytes(found.values.get(value, b"")).decode() == unknown:
            return Found(flags=("dose-unknown",))
        return found

    return Rule((value, unit), read)


class _Given(Struct, gc=False):
    route: CodeableConcept | None = None
    dose: Quantity | None = None
    rateQuantity: Quantity | None = None
    rateRatio: Ratio | None = None


def given_dosage() -> Rule:
    """MedicationAdministration.dosage → the dose, the rate and the route; its text is not read."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        source = decode(raw, _Given | None) or _Given()
        dose = amount(source.dose, "dose", "dose_unit", setting)
        rate = amount(source.rateQuantity, "rate", "rate_unit", setting)
        if source.rateQuantity is None:
            rate = amount_per(source.rateRatio, "rate", "rate_unit", setting)
        usable, withheld, _ = usable_codings(source.route or CodeableConcept(), setting)
        values = dose.values | rate.values | {"route": shared_codings(usable, setting)}
        return Found(values, tuple(dict.fromkeys((*dose.flags, *rate.flags, *withheld))))

    return Rule(("dose", "dose_unit", "rate", "rate_unit", "route"), read)


def reported(*, yes: str, no: str) -> Choice:
    """MedicationRequest.reported[x] → the kind: an order that only tells what somebody reported is none."""

    def said(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        text = text_of(decode(raw, Scalar)).lower() if raw[:1] not in b"{[" else "?"
        if text not in ("true", "false", ""):
            return Found({"kind": no}, ("reported-unreadable",))
        return Found({"kind": yes if text == "true" else no})

    def named(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        return Found({"kind": yes})

    return choice(
        reportedBoolean=Rule(("kind",), said), reportedReference=Rule(("kind",), named), otherwise={"kind": no}
    )
