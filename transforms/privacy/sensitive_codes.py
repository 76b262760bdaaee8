"""Sensitive codes of teenagers, `sensitive_codes.toml`: which groups a code is of, and what a tier does with it.

Applied by `transforms.privacy.tiers` for the exports of tiers 2 and 3; no mapping asks, so a change of the lists maps nothing anew.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from transforms.privacy.field_policy import KEEP, REGISTRY_TIER, WITHHOLD

_RANGE = re.compile(r"([A-Z]?[0-9]+)-([A-Z]?[0-9]+)")
_WHOLE = ("http://loinc.org",)
"""Systems of which whole codes are listed; of the others a code's opening is, unless `=` stands before it."""


@dataclass(frozen=True, slots=True)
class _Group:
    """One group: how it is treated, and its codes by system."""

    tiers: Sequence[str]
    codes: Mapping[str, str]

    def has(self, system: str, code: str) -> bool:
        """Whether it lists a code, or what the code opens with."""
        bare = code.replace(".", "")
        return any(_fits(bare, entry, whole=system in _WHOLE) for entry in self.codes.get(system, "").split())


def _fits(code: str, entry: str, *, whole: bool) -> bool:
    if whole or entry.startswith("="):
        return code == entry.removeprefix("=")
    if match := _RANGE.fullmatch(entry):
        return match[1] <= code[: len(match[1])] <= match[2]
    return code.startswith(entry.replace(".", ""))


class SensitiveCodes:
    """The groups of codes that are held back from those who may not know them of a teenager."""

    def __init__(self, ages: Sequence[int], groups: Mapping[str, Mapping[str, Any]]) -> None:
        self._youngest, self._oldest = ages
        self._groups = {
            name: _Group(rows["tiers"], {system: codes for system, codes in rows.items() if ":" in system})
            for name, rows in groups.items()
        }
        self._systems = frozenset(system for group in self._groups.values() for system in group.codes)

    @classmethod
    def load(cls) -> "SensitiveCodes":
        """`sensitive_codes.toml`."""
        text = files("transforms.privacy").joinpath("sensitive_codes.toml").read_text(encoding="utf-8")
        listed = tomllib.loads(text)
        return cls(listed.pop("ages"), listed)

    def is_teenage(self, age: int) -> bool:
        """Whether codes are held back at an age in whole years."""
        return self._youngest <= age <= self._oldest

    def groups(self, system: str, code: str) -> list[str]:
        """The groups that list a code."""
        return [name for name, group in self._groups.items() if group.has(system, code)]

    def applies(self, tier: int, system: str, code: str, age: int | None) -> str:
        """What a tier does with a code of a patient of an age in whole years, or of one that cannot be told: keep or withhold."""
        if age is not None and not self.is_teenage(age):
            return KEEP
        if system not in self._systems:
            return KEEP if tier == REGISTRY_TIER else WITHHOLD
        words = {self._groups[name].tiers[tier - 1] for name in self.groups(system, code)}
        return WITHHOLD if WITHHOLD in words else KEEP
