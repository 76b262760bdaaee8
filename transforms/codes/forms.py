"""What a code of each system looks like: out of its form it is text, and text does not leave.

SNOMED CT and LOINC have check digits, other systems a pattern, HL7's small ones a closed list (`systems.toml`). Of local
systems only short codes leave as they are; what may be a name or a number of somebody leaves hashed, or not at all.
"""

import re
from functools import lru_cache

from transforms.codes.loinc import loinc_fault
from transforms.codes.spellings import is_listed
from transforms.codes.systems import DMD, LOINC, SNOMED, UCUM, known_systems

_SNOMED = re.compile(r"(?=[0-9]{6,18}$)[1-9][0-9]*[01]0[0-9]")
"""Before the check digit stands 00 or 10 where it is a concept's."""
_TOKEN = re.compile(r"[!-~]{1,64}")
_SHORT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+#-]{0,23}")
_NAME = re.compile(r"(?:^|[^A-Za-z])[A-Z][a-z]{2,}")
_NUMBER = re.compile(
    r"(?=.*[^0-9])(?:[0-9][^0-9]*){7}|[0-9]{9}|00|(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:[0-2][0-9]|3[01])$|mrn|ssn|dob|tel|urn:|https?:|mailto:",
    re.IGNORECASE,
)
"""How a telephone, a date, a record number, an address begin. Cerner's own codes are plain numbers of seven and eight digits."""
_OID = re.compile(r"urn:oid:[0-2](\.(0|[1-9][0-9]{0,6}))+")

_MULTIPLIED = [
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
]
_PERMUTED = [
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
]


@lru_cache(maxsize=4096)
def code_fault(system: str | None, code: str) -> str | None:
    """Why a text is no code of its system, as a flag; none where it is one, and where the system is not known."""
    if system == LOINC:
        return loinc_fault(code)
    if system in (SNOMED, DMD):
        return snomed_fault(code)
    if system == UCUM:
        return None if is_listed(code) else "code-withheld"
    known = known_systems().get(system or "")
    if known is None:
        return None if _TOKEN.fullmatch(code) else "code-withheld"
    return None if known.has(code) else "code-withheld"


def snomed_fault(code: str) -> str | None:
    """`snomed-form` for what is no SCTID, `snomed-check-digit` where Verhoeff's digit is wrong."""
    if not _SNOMED.fullmatch(code):
        return "snomed-form"
    total = 0
    for place, digit in enumerate(reversed(code)):
        total = int(_MULTIPLIED[total][int(_PERMUTED[place % 8][int(digit)])])
    return "snomed-check-digit" if total else None


_NAMED = re.compile(r"https?://snomed\.info/id/([0-9]{6,18})", re.ASCII)


def concept_in(system: str | None, code: str) -> str | None:
    """The concept of SNOMED CT whose URI stands for its code; none for all else, a concept with its term too, which may be anybody's words."""
    match = _NAMED.fullmatch(code) if system == SNOMED else None
    return match[1] if match and snomed_fault(match[1]) is None else None


def leaves_as_it_is(code: str) -> bool:
    """Whether a code of a system that is not known may be shown: short, no long number, no word written like a name."""
    return bool(_SHORT.fullmatch(code)) and not _NUMBER.match(code) and not _NAME.search(code)


def is_oid(system: str) -> bool:
    """Whether a system is named by a registered number, too short in each part to be one of a person."""
    return _OID.fullmatch(system) is not None


def normal_code(system: str, code: str) -> str:
    """A code as its system writes it: `e1065` is ICD-10-CM's E10.65, `3` CVX's 03; `45378-26` is CPT's 45378."""
    known = known_systems().get(system)
    if known is None:
        return code
    if known.stem:
        return code[: known.stem]
    if known.digits:
        return code.lstrip("0").rjust(known.digits, "0")
    if not known.dot:
        return code
    bare = code.upper().replace(".", "")
    return f"{bare[: known.dot]}.{bare[known.dot :]}" if len(bare) > known.dot else bare
