"""One file a FHIR resource type: which of its fields become which fields of a record. Found by file name.

A new type is a new file here; nothing else names it.
"""

import pkgutil
import re
from functools import cache
from importlib import import_module

from transforms.rules import Kept, Lender, Resource


def declared(resource_type: str) -> Resource | Kept | Lender | None:
    """What is declared of a FHIR resource type; None where nothing is. Only its own file is loaded."""
    module = declared_in(resource_type)
    found: Resource | Kept | Lender | None = import_module(module).RESOURCE if module else None
    return found


def declared_in(resource_type: str) -> str | None:
    """The name of the module that declares a FHIR resource type: `medication_request` for MedicationRequest."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", resource_type).lower()
    return f"{__name__}.{name}" if name in _names() else None


def mappings() -> dict[str, Resource]:
    """FHIR resource type → its mapping, one for each file of this folder that declares records."""
    return {each.source: each for each in _all() if isinstance(each, Resource)}


def kept() -> dict[str, Kept | Lender]:
    """FHIR resource type → what is kept of it for others, or said of them, one for each file that declares that."""
    return {each.source: each for each in _all() if isinstance(each, Kept | Lender)}


def _all() -> list[Resource | Kept | Lender]:
    return [import_module(f"{__name__}.{name}").RESOURCE for name in sorted(_names())]


@cache
def _names() -> frozenset[str]:
    return frozenset(module.name for module in pkgutil.iter_modules(__path__))
