"""The allow-list of fields by sharing tier, `field_policy.toml`: what leaves, and for whom."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files

REGISTRY_TIER = 1
"""HIPAA limited data set under a data use agreement: what the outcome topic carries."""


class FieldPolicy:
    """The allow-list: which fields of a record leave at which tier. What is not listed does not leave."""

    def __init__(self, tiers: Mapping[str, Mapping[str, Mapping[str, str]]]) -> None:
        self._tiers = tiers

    @classmethod
    def load(cls) -> "FieldPolicy":
        """`field_policy.toml`."""
        return cls(tomllib.loads(files("transforms.privacy").joinpath("field_policy.toml").read_text(encoding="utf-8")))

    def leaves(self, record_type: str, field: str, tier: int = REGISTRY_TIER) -> bool:
        """Whether a field of a record type leaves at a tier."""
        return self._record(record_type, tier).get(field) == "keep"

    def listed(self, record_type: str, tier: int = REGISTRY_TIER) -> Mapping[str, str]:
        """What the policy decides about each field of a record type: keep or withhold."""
        return dict(self._record(record_type, tier))

    def _record(self, record_type: str, tier: int) -> Mapping[str, str]:
        return self._tiers.get(f"tier{tier}", {}).get(record_type, {})
