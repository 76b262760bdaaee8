"""Where a page stands in the navigation, and for whom. A page file says so by its `ENTRY`; it is found by its name."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import services.pages
from services.access.viewers import Role, Viewer


@dataclass(frozen=True, slots=True)
class Entry:
    """A page that the navigation leads to."""

    title: str
    address: str
    order: int
    """Smaller stands first; whoever comes in is led to their first."""
    roles: tuple[Role, ...]


@cache
def entries() -> tuple[Entry, ...]:
    """Every page's, in their order."""
    modules = (
        import_module(f"{services.pages.__name__}.{found.name}") for found in iter_modules(services.pages.__path__)
    )
    found = [module.ENTRY for module in modules if hasattr(module, "ENTRY")]
    return tuple(sorted(found, key=lambda entry: (entry.order, entry.title)))


def entries_for(viewer: Viewer) -> Iterable[Entry]:
    """Those that are theirs."""
    return [entry for entry in entries() if viewer.roles & set(entry.roles)]
