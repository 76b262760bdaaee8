"""Tokens by which one person at two sites can be told to be one: keyed hashes of normalised identifiers, one for each rule.

The sites of a network compute them with one secret that they share and no registry holds: who has the tokens can compare
them, not guess a name and try it. They are no records, stand in no event, and are made only where a site names the secret.
Several rules, for no identifier is always there and right: that two persons share a token of one rule is a hint, of all
rules that both have, a finding. Whoever compares decides, and keeps what is decided apart, so that it can be undone.
"""

import hmac
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

_OLD = frozenset({"old", "maiden", "temp", "anonymous"})
_PREFERRED = ("official", "usual", "")
_SEXES = frozenset({"male", "female"})
_FIRST_YEAR = 1901
"""Earlier dates are fillers."""
_TOKEN_BYTES = 16
_VERSION = b"mainstem-linkage/1/"
"""What is normalised how: another way is another version, whose tokens equal none of this one."""
RULES: Mapping[str, tuple[str, ...]] = {
    "name-birth-sex": ("family", "given", "birth", "sex"),
    "name-birth-zip": ("family", "given", "birth", "zip"),
    "initial-birth-sex-zip": ("family", "initial", "birth", "sex", "zip"),
}


def tokens(patient: Mapping[str, Any], secret: bytes) -> dict[str, str]:
    """Of a FHIR Patient, by rule; of a rule of which an identifier is missing or a filler, none."""
    known = _identifiers(patient)
    return {
        rule: _token(rule, [known[name] for name in parts], secret)
        for rule, parts in RULES.items()
        if all(known.get(name) for name in parts)
    }


def _token(rule: str, parts: Iterable[str], secret: bytes) -> str:
    message = _VERSION + rule.encode() + b"\0" + "\x1f".join(parts).encode()
    return hmac.digest(secret, message, "sha256")[:_TOKEN_BYTES].hex()


def _identifiers(patient: Mapping[str, Any]) -> dict[str, str]:
    name = _name(_objects(patient.get("name")))
    given = name.get("given")
    first = given[0] if isinstance(given, list) and given else given
    found = {"family": _letters(name.get("family")), "given": _letters(first)}
    sex = patient.get("gender")
    addresses = _objects(patient.get("address"))
    zips = (_digits(each.get("postalCode")) for each in addresses if each.get("use") not in _OLD)
    return found | {
        "initial": found["given"][:1],
        "birth": _birth(patient.get("birthDate")),
        "sex": sex if isinstance(sex, str) and sex in _SEXES else "",
        "zip": next((each[:5] for each in zips if len(each) >= 5), ""),
    }


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]


def _name(names: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The official name, else the usual one, else one of no said use; never one that was."""
    by_use = {each.get("use") or "": each for each in reversed(names) if each.get("use") not in _OLD}
    return next((by_use[use] for use in _PREFERRED if use in by_use), {})


def _letters(value: Any) -> str:
    """Letters alone, without accents and case: `O'Neill-Å` → `oneilla`."""
    if not isinstance(value, str):
        return ""
    return "".join(each for each in unicodedata.normalize("NFKD", value).casefold() if each.isalpha())


def _digits(value: Any) -> str:
    return "".join(each for each in value if each in "0123456789") if isinstance(value, str) else ""


def _birth(value: Any) -> str:
    try:
        found = date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        return ""
    return found.isoformat() if found is not None and found.year >= _FIRST_YEAR else ""
