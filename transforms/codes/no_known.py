"""Codes that say there is nothing: "no known problems", "no vaccine given". A row of no_known.csv each, where not a whole system."""

import csv
import re
from functools import cache
from importlib.resources import files

from transforms.codes.systems import repaired_system

_WHOLE_SYSTEMS = ("/CodeSystem/absent-unknown-uv-ips", "/CodeSystem/ips-absent-unknown")
"""The International Patient Summary's code system of absent and unknown data."""


_KINDS = (
    r"(?:problems?|conditions?|diagnos[ie]s|diseases?|illness(?:es)?|complaints?|disabilit(?:y|ies)|allerg(?:y|ies)"
    r"|intolerances?|medications?|medicines?|drugs?|procedures?|surger(?:y|ies)|operations?|immuni[sz]ations?"
    r"|vaccin(?:es?|ations?)|devices?|history|concerns?)"
)
_IN_WORDS = re.compile(
    r"(?:(?:the )?patient )?(?:(?:has|reports|states) )?"
    r"(?:no|nil|none|not(?: any)?|denies(?: any)?|without(?: any)?)(?: (?:any|known|current|active|previous|prior|past"
    r"|significant|reported|relevant|other|chronic|ongoing|documented|medical|surgical|health))*(?: [a-z/,&]+){0,4}?"
    rf" {_KINDS}(?: (?:or|and) [a-z]+)?"
    r"(?: (?:known|reported|recorded|documented|listed|administered|given|performed|on file))?"
    r"|(?:none|nil|nothing)(?: (?:known|reported|recorded|documented))?|no known .{1,60}"
    r"|no (?:past |previous |prior )?history of .{1,60}|n/?a|nk(?:[adm]|[df]a|ma|pl?)"
)
"""What people write for it: "No known problems", "NKA", "None", "no previous surgery"."""
_PARTS = re.compile(r"[\s_\-]+")
_REMARK = re.compile(r"\s*\([a-z/ ]+\)$")
_LONGEST = 120


def says_none_in_words(text: str) -> bool:
    """Whether a text, or a code that is one, says so in so many words: `No known drug allergies`, `NKDA`."""
    plain = _PARTS.sub(" ", text.lower()).strip(" .!")
    return len(plain) <= _LONGEST and _IN_WORDS.fullmatch(_REMARK.sub("", plain)) is not None


def says_none(system: str | None, code: str) -> bool:
    """Whether a code says that there is nothing of its kind, or that nothing is known."""
    repaired = repaired_system(system) or ""
    if repaired.endswith(_WHOLE_SYSTEMS):
        return True
    bare = code.replace(".", "").upper()
    return bare in _none_of().get(repaired, ()) or (
        repaired in _RULED_OUT and _RULED_OUT[repaired].fullmatch(bare) is not None
    )


_RULED_OUT = {
    "http://hl7.org/fhir/sid/icd-10-cm": re.compile(r"Z0[35].*"),
    "http://hl7.org/fhir/sid/icd-10": re.compile(r"Z03.*"),
    "http://fhir.de/CodeSystem/bfarm/icd-10-gm": re.compile(r"Z03.*"),
    "https://fhir.infoway-inforoute.ca/CodeSystem/icd-10-ca": re.compile(r"Z03.*"),
}
"""Observed for something that was suspected and ruled out, of adults and of the newborn."""


@cache
def _none_of() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    with files("transforms.codes").joinpath("no_known.csv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table):
            found.setdefault(row["system"], set()).add(row["code"].replace(".", "").upper())
    return {system: frozenset(codes) for system, codes in found.items()}
