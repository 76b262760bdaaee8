"""What it means: FHIR resources to outcome records. Pure: no network, no clock, no database."""

from transforms.codes import CodeMapRow, parse_code_map
from transforms.mapped import Mapped, Outcome, Outcomes
from transforms.mapper import ALL_TYPES, Mapper

__all__ = ["ALL_TYPES", "CodeMapRow", "Mapped", "Mapper", "Outcome", "Outcomes", "parse_code_map"]
