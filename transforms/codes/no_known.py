"""Codes that say there is nothing: "no known problems", "no vaccine given". A row of no_known.csv each, where not a whole system."""

import csv
import re
from functools import cache
from importlib.resources import files

from transforms.codes.systems import repaired_system

_IN_WORDS = re.compile(
    r"(?:patient has )?(?:no|nil|denies|not)(?: (?:any|known|active|current|significant))*(?: [a-z/,&-]+){0,4}? "
    r"(?:allerg(?:y|ies)|intolerances?|problems?|conditions?|diagnos[ei]s|medications?|medicines|procedures?"
    r"|immuni[sz]ations?|devices?)(?: known| on file| recorded| reported)?\.?"
    r"|(?:none|nil|nothing) known\.?|nk(?:[adm]|[df]a|ma)\.?"
)

_WHOLE_SYSTEMS = ("/CodeSystem/absent-unknown-uv-ips", "/CodeSystem/ips-absent-unknown")
"""The International Patient Summary's code system of absent and unknown data."""


def says_none(system: str | None, code: str) -> bool:
    """Whether a code says that there is nothing of its kind, or that nothing is known."""
    repaired = repaired_system(system) or ""
    if repaired.endswith(_WHOLE_SYSTEMS):
        return True
    return code.replace(".", "").upper() in _none_of().get(repaired, ())


def says_none_in_words(text: str) -> bool:
    """Whether a text says that there is nothing of a kind, as charts do: `No known drug allergies`, `NKDA`."""
    return len(text) <= 64 and _IN_WORDS.fullmatch(" ".join(text.lower().split())) is not None


@cache
def _none_of() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    with files("transforms.codes").joinpath("no_known.csv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table):
            found.setdefault(row["system"], set()).add(row["code"].replace(".", "").upper())
    return {system: frozenset(codes) for system, codes in found.items()}
