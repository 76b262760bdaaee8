"""The allow-list of fields by sharing tier, `field_policy.toml`: what leaves, for whom, and in which form."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

REGISTRY_TIER = 1
"""HIPAA limited data set under a data use agreement: what the outcome topic carries, and the one tier applied today."""
TIERS = (REGISTRY_TIER, 2, 3)
"""The columns. Research extracts and published aggregates are declared for the exports to come."""
KEEP, WITHHOLD = "keep", "withhold"
FORMS = (KEEP, WITHHOLD, "year", "age90", "zip3", "known", "recode", "count", "summary")
"""What a tier does with a field; each word is explained in the file."""


class FieldPolicy:
    """The allow-list: which fields of a record leave at which tier. What is not listed does not leave."""

    def __init__(self, records: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        self._records = records

    @classmethod
    @cache
    def load(cls) -> "FieldPolicy":
        """`field_policy.toml`."""
        return cls(tomllib.loads(files("transforms.privacy").joinpath("field_policy.toml").read_text(encoding="utf-8")))

    def applies(self, tier: int, record_type: str, field: str) -> str:
        """What a tier does with a field of a record type: one of `FORMS`. A field or tier that is not listed is withheld."""
        columns = self._records.get(record_type, {}).get(field, ())
        return columns[tier - 1] if 0 < tier <= len(columns) else WITHHOLD

    def leaves(self, record_type: str, field: str) -> bool:
        """Whether a field of a record type leaves for the registry, where records leave as they are or not at all."""
        return self.applies(REGISTRY_TIER, record_type, field) == KEEP

    def listed(self, record_type: str) -> Mapping[str, Sequence[str]]:
        """What the policy decides about each field of a record type, a word a tier."""
        return dict(self._records.get(record_type, {}))
