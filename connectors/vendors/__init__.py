"""What differs at one EHR vendor, as data: one file a vendor, found by its name."""

import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.errors import OperatorError

Parameters = tuple[tuple[str, str], ...]
"""Search parameters added to one request."""

ALWAYS_RETRIED = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """How a vendor's servers differ from the standard's plain reading."""

    title: str
    """The vendor's name for people."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of every FHIR request; `{client_id}` stands for the site's client id."""
    page_sizes: Mapping[str, int | None] = field(default_factory=dict)
    """Most resources a page by type; None where the type takes no `_count`."""
    last_updated: bool = True
    """Whether searches honour `_lastUpdated`; where not, every pull is a full one."""
    fan_out: Mapping[str, tuple[Parameters, ...]] = field(default_factory=dict)
    """Types that need more parameters: one search for each entry, together the whole type."""
    retried: frozenset[int] = ALWAYS_RETRIED
    """Statuses after which the same request may succeed."""
    not_exported: frozenset[str] = frozenset()
    """Types a bulk export refuses to be asked for."""


def vendor_names() -> list[str]:
    """The vendors there is a file for."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def vendor(name: str) -> Vendor:
    """The vendor of that file name. Raises OperatorError listing the known ones."""
    known = vendor_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise OperatorError(
            f"fhir.vendor: {name!r} is not known",
            f"{hint}Known are {', '.join(known)}; generic serves where none fits.",
        )
    found: Vendor = importlib.import_module(f"{__name__}.{name}").VENDOR
    return found
