"""Allergies: what happened when the patient met the substance."""

from typing import Any

from msgspec import Raw, Struct
from msgspec.json import encode

from schemas.problems import Reason
from transforms.fhir.elements import Scalar, Unusable, decode, text_of
from transforms.rules.concepts import concepts_of, gathered
from transforms.rules.declaring import Found, Rule
from transforms.rules.refusals import has_members
from transforms.rules.setting import Setting
from transforms.rules.times import moment_found

_ABSENT: Any = None
_SEVERITIES = ("mild", "moderate", "severe")


class _Reaction(Struct, gc=False):
    substance: Raw = _ABSENT
    manifestation: Raw = _ABSENT
    exposureRoute: Raw = _ABSENT
    onset: str | None = None
    severity: Scalar = None


def reactions(name: str) -> Rule:
    """AllergyIntolerance.reaction → manifestations, severity, onset, substance and route of each; no description.

    R5's shape of a manifestation refuses the resource.
    """

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        listed = decode(raw, list[_Reaction | None] | _Reaction | None) or []
        found: dict[bytes, dict[str, Any]] = {}
        flags: list[str] = []
        dropped: list[str] = []
        for place, entry in enumerate(listed if isinstance(listed, list) else [listed]):
            if entry is None:
                continue
            each = _reaction(entry, setting)
            flags += each.flags
            dropped += [f"[{place}].{path}" for path in each.dropped]
            if values := {field: value for field, value in each.values.items() if value}:
                found[encode(values)] = values
        return Found({name: [found[key] for key in sorted(found)]}, tuple(dict.fromkeys(flags)), dropped=tuple(dropped))

    return Rule((name,), read)


def _reaction(source: _Reaction, setting: Setting) -> Found:
    values: dict[str, Any] = {}
    flags: list[str] = []
    dropped: list[str] = []
    concepts = (
        ("substance", source.substance),
        ("manifestation", source.manifestation),
        ("route", source.exposureRoute),
    )
    for field, raw in concepts:
        if raw is None:
            continue
        if field == "manifestation" and has_members(bytes(raw), "concept", "reference"):
            raise Unusable(Reason.OTHER_FHIR_VERSION, "manifestation")
        try:
            values[f"{field}s" if field == "manifestation" else field], noticed = gathered(
                concepts_of(bytes(raw)), setting
            )
        except Unusable as fault:
            dropped.append(".".join(filter(None, (field, fault.path))))
            continue
        flags += noticed
    if said := text_of(source.severity).lower():
        if said in _SEVERITIES:
            values["severity"] = said
        else:
            dropped.append("severity")
    try:
        onset = moment_found((source.onset or "").strip(), "onset", "onset_date", setting)
    except Unusable:
        dropped.append("onset")
    else:
        values |= onset.values
        flags += onset.flags
    return Found(values, tuple(flags), dropped=tuple(dropped))
