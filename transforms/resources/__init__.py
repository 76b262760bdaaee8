"""One file a FHIR resource type: which of its fields become which fields of a record. Found by file name.

A new type is a new file here; nothing else names it.
"""

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType

from transforms.rules import Kept, Lender, Resource


def mappings() -> dict[str, Resource]:
    """FHIR resource type → its mapping, one for each file of this folder that declares records."""
    return {each.source: each for each in _declared() if isinstance(each, Resource)}


def kept() -> dict[str, Kept | Lender]:
    """FHIR resource type → what is kept of it for others, or said of them, one for each file that declares that."""
    return {each.source: each for each in _declared() if isinstance(each, Kept | Lender)}


def declared_in(resource_type: str) -> str | None:
    """The name of the module that declares a FHIR resource type."""
    return next((module.__name__ for module in _modules() if module.RESOURCE.source == resource_type), None)


def _declared() -> list[Resource | Kept | Lender]:
    return [module.RESOURCE for module in _modules()]


@cache
def _modules() -> tuple[ModuleType, ...]:
    return tuple(import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
