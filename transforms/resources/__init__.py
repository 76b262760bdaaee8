"""One file a FHIR resource type: which of its fields become which fields of a record. Found by file name."""

import pkgutil
from importlib import import_module

from transforms.rules import Resource


def mappings() -> dict[str, Resource]:
    """FHIR resource type → its mapping, one for each file of this folder."""
    modules = (import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    return {module.RESOURCE.source: module.RESOURCE for module in modules}
