"""Medicines: what was ordered, how much of it, for how long."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from msgspec import Raw, Struct
from msgspec.json import encode

from schemas.problems import Reason
from transforms.codes.no_known import says_none, says_none_in_words
from transforms.fhir.elements import (
    CodeableConcept,
    Period,
    Reference,
    Scalar,
    Stated,
    Unusable,
    decode,
    number_of,
    plain,
    text_of,
)
from transforms.rules.amounts import LONGEST_BARE, Ratio, amount, amount_per, days_of
from transforms.rules.codes import coded_found
from transforms.rules.concepts import chosen_code, gathered, usable_codings
from transforms.rules.declaring import Choice, Found, Rule, choice
from transforms.rules.dosage import ends
from transforms.rules.setting import Setting
from transforms.rules.times import period_found

_ABSENT: Any = None


class _Kind(Struct, gc=False):
    resourceType: Scalar = None


class _Ingredient(Struct, gc=False):
    itemCodeableConcept: CodeableConcept | None = None
    itemReference: Reference | None = None
    item: Raw = _ABSENT
    """R5: a CodeableReference."""
    isActive: Scalar = None
    strength: Ratio | None = None
    amount: Ratio | None = None
    """STU3's name for `strength`."""
    modifierExtension: Raw = _ABSENT


class _Medication(Struct, gc=False, omit_defaults=True):
    id: Scalar = None
    status: Scalar = None
    code: CodeableConcept | None = None
    ingredient: list[_Ingredient] | None = None
    contained: "list[_Medication] | None" = None
    product: Raw = _ABSENT
    """DSTU2: where the ingredients stand."""

    modifierExtension: Raw = _ABSENT
    implicitRules: Raw = _ABSENT

    def mixture(self, beside: "list[_Medication] | None" = None) -> list[tuple[CodeableConcept, Ratio | None]]:
        """The active ingredients and their strengths; those named by reference are among the contained ones, or not known."""
        listed = self.contained or beside or []
        active = [part for part in self.ingredient or [] if text_of(part.isActive).lower() != "false"]
        named = (((part.itemReference and part.itemReference.reference) or "").strip() for part in active)
        found = [
            part.itemCodeableConcept or (_code_of(name[1:], listed) if name.startswith("#") else None)
            for part, name in zip(active, named, strict=True)
        ]
        strengths = [part.strength or part.amount for part in active]
        return [(concept, strength) for concept, strength in zip(found, strengths, strict=True) if concept is not None]


def _code_of(name: str, listed: "list[_Medication]") -> CodeableConcept | None:
    """The code of the contained Medication or Substance of a name; None for one that is an error. Raises Unusable."""
    source = _named_among(name, listed)
    if source is None or _is_error(source):
        return None
    _refuse_not_understood(source)
    return source.code


def _named_among(name: str, listed: "list[_Medication]") -> "_Medication | None":
    """The one of a name. Raises Unusable where several bear it, and nobody can tell which is meant."""
    found = [each for each in listed if text_of(each.id).removeprefix("#") == name]
    if any(each != found[0] for each in found):
        raise Unusable(Reason.UNKNOWN_MEDICATION, "reference")
    return found[0] if found else None


def kept_medication(raw: bytes) -> bytes | None:
    """A Medication → its code and the codes of its ingredients, as a Medication of these alone. Raises Unusable."""
    source: _Medication = decode(raw, _Medication)
    if _is_error(source):
        return None
    _refuse_not_understood(source)
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


def _refuse_not_understood(source: _Medication) -> None:
    """Raises Unusable for a Medication of another FHIR version, or of which something is modified in a way nobody here knows."""
    if source.product is not None:
        raise Unusable(Reason.OTHER_FHIR_VERSION, "product")
    if any(part.item is not None for part in source.ingredient or []):
        raise Unusable(Reason.OTHER_FHIR_VERSION, "ingredient.item")
    for name, marked in (
        ("implicitRules", source.implicitRules is not None),
        ("modifierExtension", source.modifierExtension is not None),
        ("ingredient.modifierExtension", any(part.modifierExtension is not None for part in source.ingredient or [])),
    ):
        if marked:
            raise Unusable(Reason.MODIFIER_NOT_UNDERSTOOD, name)


def _refuse_none(concept: CodeableConcept) -> None:
    """Raises Unusable for a code that says that there is no medicine."""
    said = any(says_none(coding.system, text_of(coding.code)) for coding in concept.codings)
    if said or says_none_in_words(text_of(concept.text)):
        raise Unusable(Reason.NOT_A_FACT, "reference")


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
        _refuse_not_understood(source)
        _refuse_none(source.code or CodeableConcept())
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
    return _named_among(name, _all_contained(companion)) or _Medication()


def _all_contained(companion: bytes | None) -> list[_Medication]:
    """The Medications and Substances among what is contained; the others are not read."""
    listed: list[Raw] = (decode(companion, list[Raw] | None) if companion and companion[:1] != b"{" else None) or []
    told = [bytes(each) for each in listed if bytes(each) != b"null"]
    told += [companion] if companion and companion[:1] == b"{" else []
    return [
        decode(each, _Medication) for each in told if decode(each, _Kind).resourceType in ("Medication", "Substance")
    ]


def _looked_up(companion: bytes | None) -> _Medication | None:
    found: _Medication | None = decode(companion, _Medication) if companion else None
    return found


class _Dispense(Struct, gc=False):
    validityPeriod: Raw = _ABSENT
    expectedSupplyDuration: Raw = _ABSENT
    quantity: Raw = _ABSENT
    numberOfRepeatsAllowed: Raw = _ABSENT


def dispense() -> Rule:
    """dispenseRequest → days of supply, quantity, refills; the end of its validity where no dosage tells an end."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        source = decode(raw, _Dispense | None) or _Dispense()
        parts = [
            _part("expectedSupplyDuration", source, Stated, lambda each: days_of(each, "days_supply", setting)),
            _part("quantity", source, Stated, lambda each: amount(each, "quantity", "quantity_unit", setting)),
            _refills(source.numberOfRepeatsAllowed),
        ]
        if not ends(companion, setting):
            parts.insert(0, _part("validityPeriod", source, Period, lambda each: _validity(each, setting)))
        return _together(parts)

    gives = ("end", "end_date", "days_supply", "quantity", "quantity_unit", "refills")
    return Rule(gives, read, needs="dosageInstruction")


def _part(member: str, source: Struct, kind: Any, told: Callable[[Any], Found]) -> Found:
    """What one member of an element gives; one of another shape than FHIR's takes out nothing but itself."""
    raw = getattr(source, member)
    try:
        return Found() if raw is None else told(decode(bytes(raw), kind | None))
    except Unusable as fault:
        return Found(dropped=(".".join(filter(None, (member, fault.path))),))


def _together(parts: Sequence[Found]) -> Found:
    values = {name: value for part in parts for name, value in part.values.items()}
    flags = tuple(dict.fromkeys(flag for part in parts for flag in part.flags))
    return Found(values, flags, dropped=tuple(path for part in parts for path in part.dropped))


def _validity(source: Period | None, setting: Setting) -> Found:
    found = period_found(source or Period(), None, ("end", "end_date"), setting)
    return replace(found, dropped=tuple(f"validityPeriod.{path}" for path in found.dropped))


def _refills(raw: Any) -> Found:
    if raw is None or bytes(raw) == b"null":
        return Found()
    try:
        value = plain(number_of(bytes(raw))[0])
    except Unusable:
        return Found({}, ("refills-unreadable",))
    readable = bytes(value).isdigit() and int(bytes(value)) <= LONGEST_BARE
    return Found({"refills": value}) if readable else Found({}, ("refills-unreadable",))


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
        return days_of(decode(raw, Stated | None), name, setting)

    return Rule((name,), read)


def amount_of(value: str, unit: str, *, unknown: str = "") -> Rule:
    """Quantity of a medicine → the amount, in UCUM or a countable form; a number that says it is not known is none."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = amount(decode(raw, Stated | None), value, unit, setting)
        if unknown and bytes(found.values.get(value, b"")).decode() == unknown:
            return Found(flags=("dose-unknown",))
        return found

    return Rule((value, unit), read)


class _Given(Struct, gc=False):
    text: Raw = _ABSENT
    route: Raw = _ABSENT
    dose: Raw = _ABSENT
    rateQuantity: Raw = _ABSENT
    rateRatio: Raw = _ABSENT


def given_dosage() -> Rule:
    """MedicationAdministration.dosage → the dose, the rate and the route; its text is not read."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        source = decode(raw, _Given | None) or _Given()
        several = source.rateQuantity is not None and source.rateRatio is not None
        rates = [
            _part("rateQuantity", source, Stated, lambda each: amount(each, "rate", "rate_unit", setting)),
            _part("rateRatio", source, Ratio, lambda each: amount_per(each, "rate", "rate_unit", setting)),
        ]
        found = _together(
            [
                _part("dose", source, Stated, lambda each: amount(each, "dose", "dose_unit", setting)),
                *([Found(flags=("several-rates",))] if several else rates),
                _part("route", source, CodeableConcept, lambda each: _route(each, setting)),
            ]
        )
        says_more = source.text is not None and not (found.values or found.flags or found.dropped)
        return replace(found, flags=("text-withheld",)) if says_more else found

    return Rule(("dose", "dose_unit", "rate", "rate_unit", "route"), read)


def _route(source: CodeableConcept | None, setting: Setting) -> Found:
    codings, flags = gathered([source] if source else [], setting)
    return Found({"route": codings} if codings else {}, tuple(flags))


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
