"""What it means: FHIR resources to outcome records. Pure: no network, no clock, no database.

The mapper is loaded when it is asked for: whoever only hands records over needs none of its rules.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transforms.codes import CodeMapRow, parse_code_map
    from transforms.mapped import Mapped, Outcome, Outcomes
    from transforms.mapper import ALL_TYPES, Mapper

__all__ = ["ALL_TYPES", "CodeMapRow", "Mapped", "Mapper", "Outcome", "Outcomes", "parse_code_map"]
_HOMES = {"ALL_TYPES": "mapper", "Mapper": "mapper", "CodeMapRow": "codes", "parse_code_map": "codes"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'mapped')}"), name)
