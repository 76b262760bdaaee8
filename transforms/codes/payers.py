"""Kinds of payer: the groups of the Source of Payment Typology, and what other systems' codes say of them.

The typology (National Association of Health Data Organizations; https://nahdo.org/sopt) is a hierarchy whose first digit is the group. HL7's
v3 ActCode tells policies apart by what they cover: where that leaves the group open (`PUBLICPOL` may be Medicare or Medicaid), a site's code
map says what the code means there.
"""

import csv
import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from transforms.codes.code_map import CodeMap
from transforms.codes.systems import SOPT

_FORM = re.compile(r"[1-9][0-9]{0,5}")
_UNAVAILABLE = "9999"
"""Unavailable, no payer specified, blank."""
UNKNOWN = "UN"


def group_of(code: str) -> str | None:
    """A code's group, `1` to `9`; `UN` where it says that none is known, None for what is no code of the typology."""
    if not _FORM.fullmatch(code):
        return None
    return UNKNOWN if code == _UNAVAILABLE else code[0]


def groups_of(codings: Iterable[tuple[str, str]], codes: CodeMap) -> set[str] | None:
    """The groups that (system, code) pairs mean: by the typology's own codes, else by the site's map, else by the table.

    An empty set: no payer of care (a dental policy). None: nothing that is understood.
    """
    listed = list(codings)
    for found in (
        [group_of(code) for system, code in listed if system == SOPT],
        [group_of(codes[each][SOPT]) for each in listed if SOPT in codes.get(each, ())],
    ):
        if known := {each for each in found if each}:
            return known
    told = [_table()[each] for each in listed if each in _table() and not is_open(*each)]
    return {each for each in told if each} if told else None


def is_open(system: str, code: str) -> bool:
    """Whether a code is of a kind of policy whose group it leaves open."""
    return _table().get((system, code)) == "open"


@cache
def _table() -> dict[tuple[str, str], str]:
    with files("transforms.codes").joinpath("payers.csv").open(encoding="utf-8") as lines:
        return {(row["system"], row["code"]): row["group"] for row in csv.DictReader(lines)}
