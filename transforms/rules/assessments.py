"""Disease activity scores and physicians' assessments: an observation or answer that is one gives an assessment beside itself.

None of the instruments has a LOINC code. A coding is one of them by the instrument's name, by the system `INSTRUMENT`, or as
the site's code map says: `system,code,urn:mainstem:instrument,PUCAI`.
"""

from collections.abc import Mapping
from dataclasses import replace

import msgspec
from msgspec import Raw, Struct

from schemas.outcomes.observations import NO_RESULT
from transforms.codes.systems import INSTRUMENT, known_systems
from transforms.fhir.elements import Scalar, decode, text_of
from transforms.rules.concepts import concept_of, usable_codings
from transforms.rules.declaring import Beside, Found, Rule
from transforms.rules.setting import Setting

_BY_NAME = "instrument"
_FOCUS = "focus"
_STATE = "state"
STATES = {
    **dict.fromkeys(("remission", "quiescent", "inactive"), "remission"),
    **{word: word for word in ("mild", "moderate", "severe")},
}
"""What sources write for the state of a disease, in lower case → the state."""


class _Told(Struct, gc=False):
    id: str
    value: Raw = Raw()
    comparator: str | None = None
    status: str | None = None
    effective: str | None = None
    effective_date: str | None = None


_decode = msgspec.json.Decoder(_Told).decode


def told_by_instrument(rule: Rule) -> Rule:
    """The rule; of a concept that is a disease activity instrument also which one. That one has no LOINC code is nothing to mend."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = rule.read(raw, companion, setting)
        name = instrument_of(raw, setting)
        if name is None:
            return found
        flags = tuple(flag for flag in found.flags if flag != "code-unmapped")
        return replace(found, flags=flags, unmapped=(), beside=((_BY_NAME, name),))

    return replace(rule, read=read)


def instrument_of(raw: bytes, setting: Setting) -> str | None:
    """The instrument that a concept names."""
    for system, code in usable_codings(concept_of(raw), setting).found:
        if (meant := setting.codes.get((system or "", code), {}).get(INSTRUMENT)) in known_systems()[INSTRUMENT].codes:
            return meant
        if (name := _names().get(code.lower())) and (system == INSTRUMENT or system not in known_systems()):
            return name
    return None


def telling_state(rule: Rule) -> Rule:
    """The rule of a value; of a word that says the state of a disease also which state: the word itself may not leave."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = rule.read(raw, companion, setting)
        state = next((STATES[word] for word in _words_of(raw) if word in STATES), None)
        return replace(found, beside=((_STATE, state),)) if state else found

    return replace(rule, read=read)


def _words_of(raw: bytes) -> list[str]:
    if raw[:1] not in b"{[":
        return [text_of(decode(raw, Scalar)).strip().lower()]
    concept = concept_of(raw)
    return [text_of(each).strip().lower() for each in (*(coding.code for coding in concept.codings), concept.text)]


def _names() -> Mapping[str, str]:
    return {name.lower(): name for name in known_systems()[INSTRUMENT].codes}


def assessment(content: bytes, said: Mapping[str, str]) -> dict[str, object] | None:
    """What an observation's or answer's own record, and what was said beside it, make of an assessment; None of another, and of
    one without a result yet.
    """
    if _BY_NAME not in said:
        return None
    told = _decode(content)
    if told.status in NO_RESULT:
        return None
    score = told.value if told.value and not told.comparator else None
    if score is None and _STATE not in said:
        return None
    return {
        "instrument": said[_BY_NAME],
        "score": score,
        "state": said.get(_STATE),
        "focus": said.get(_FOCUS),
        "effective": told.effective,
        "effective_date": told.effective_date,
        "told_by": told.id,
    }


ASSESSMENT = Beside(record="disease_assessment", version=1, make=assessment)
