"""Who pays: what is read of a Coverage. The plan, its numbers, who subscribes and who insures are not."""

import re

from schemas.problems import Reason
from transforms.codes.payers import UNKNOWN, groups_of, is_open
from transforms.codes.systems import NOT_A_CODE, SOPT, repaired_system
from transforms.fhir.elements import CodeableConcept, Scalar, Unusable, decode, text_of
from transforms.rules.concepts import absences_in, concept_of, null_flavour_of, shared_coding, usable_codings
from transforms.rules.declaring import NOTHING, Found, Rule
from transforms.rules.setting import Setting

_PLACE = re.compile(r"[1-9][0-9]?")


def payer(name: str) -> Rule:
    """CodeableConcept → the group of the Source of Payment Typology, one digit. A finer code may name an illness, and does not leave.

    Codes of several groups contradict each other: none is told, flagged. A text serves the site's code map only.
    """

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        concept = concept_of(raw)
        written = [(repaired_system(each.system) or "", text_of(each.code)) for each in concept.codings]
        text = text_of(concept.text)
        groups = groups_of([*written, *([("", text)] if text else [])], setting.codes)
        if groups is None:
            absent = [*absences_in(raw), *(code for system, code in written if system in NOT_A_CODE)]
            return Found({name: null_flavour_of(absent)}) if absent else _not_understood(concept, setting)
        known = groups - {UNKNOWN} or groups
        if len(known) > 1:
            return Found(flags=(f"several:{name}",))
        return Found({name: known.pop()}) if known else NOTHING

    return Rule((name,), read)


def _not_understood(concept: CodeableConcept, setting: Setting) -> Found:
    """Its codings as a site's code map would name them, counted."""
    written = [(repaired_system(each.system) or "", text_of(each.code)) for each in concept.codings]
    left_open = [each for each in written if is_open(*each)]
    usable, flags, _ = usable_codings(concept, setting)
    shown = [*left_open, *(shared_coding(*each, setting) for each in dict.fromkeys(usable))]
    noticed = flags if not left_open else [flag for flag in flags if flag != "code-withheld"]
    if shown:
        noticed = [*noticed, "code-unmapped"]
    elif text_of(concept.text):
        noticed = [*noticed, "text-withheld"]
    return Found({}, tuple(noticed), tuple((system or "", code, SOPT) for system, code in shown))


def place_in_line(name: str) -> Rule:
    """positiveInt → a number up to 99; a larger one may be one of somebody's."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        written = text_of(decode(raw, Scalar))
        if not written:
            return NOTHING
        if not _PLACE.fullmatch(written):
            raise Unusable(Reason.INVALID_FIELD)
        return Found({name: int(written)})

    return Rule((name,), read)
