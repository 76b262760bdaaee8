"""What it means: FHIR resources to outcome records. Pure: no network, no clock, no database."""

from transforms.codes import CodeMapRow, parse_code_map
from transforms.mapped import Mapped, Outcome, Outcomes
from transforms.mapper import Mapper

__all__ = ["CodeMapRow", "Mapped", "Mapper", "Outcome", "Outcomes", "parse_code_map"]
