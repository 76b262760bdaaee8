"""What differs at one EHR vendor, as data: one file a vendor, found by its name, told by what its servers say of themselves."""

import difflib
import importlib
import pkgutil
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import parse_qsl

from schemas.errors import OperatorError

Parameters = tuple[tuple[str, str], ...]
"""Search parameters added to one request."""

ALWAYS_RETRIED = frozenset({408, 409, 423, 425, 429, 500, 502, 503, 504})
"""Nothing is written at a hospital: a conflict (409) and a lock (423) are of somebody else's, and pass."""
GENERIC = "generic"
LONGEST_WORD = 300
"""Characters of what a server says of itself that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """How a vendor's servers differ from the standard's plain reading."""

    title: str
    """The vendor's name for people."""
    names: str = ""
    """How it, its products or its servers are called, as a pattern."""
    addresses: str = ""
    """How its base URLs and token endpoints look, as a pattern."""
    builds_for_others: bool = False
    """Whether its server stands inside other vendors' products: then those are meant."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of every FHIR request; `{client_id}` stands for the site's client id."""
    page_sizes: Mapping[str, int] = field(default_factory=dict)
    """Most resources a page by type."""
    count_needs: Mapping[str, str] = field(default_factory=dict)
    """Types that take `_count` only beside another parameter."""
    last_updated: bool = True
    """Whether searches honour `_lastUpdated`; where not, every pull is a full one."""
    window_ends: Mapping[str, str] = field(default_factory=dict)
    """Types whose `_lastUpdated` takes another prefix than `lt` for a window's end."""
    fan_out: Mapping[str, tuple[Parameters, ...]] = field(default_factory=dict)
    """Types that need more parameters: one search for each entry, together the whole type."""
    rejected_categories: frozenset[str] = frozenset()
    """Categories of the US Core profiles that a search must not name."""
    retried: frozenset[int] = ALWAYS_RETRIED
    """Statuses after which the same request may succeed."""
    requests_a_minute: int = 0
    """Most requests in a minute at one base URL; 0 where nothing is known."""
    quota_left: tuple[str, ...] = ()
    """Headers of an answer that say how many requests are left of the day's."""
    quota_used: tuple[tuple[str, str], ...] = ()
    """Headers that say how many were made, and how many are allowed."""
    by_read_alone: frozenset[str] = frozenset()
    """Types of which what was combined with another comes by read, and by no search."""
    not_exported: frozenset[str] = frozenset()
    """Types a bulk export refuses to be asked for."""
    filter_rejects: frozenset[str] = frozenset()
    """Search parameters that a bulk export's `_typeFilter` must not hold."""
    group_most: int = 0
    """Patients a Group should have at most, where its exports are to succeed; 0 where nothing is known."""
    tries_exports: bool = False
    """Whether an export that is kicked off and deleted at once is known to cost nothing: no daily number, no waiting."""
    one_filter_a_type: bool = False
    """Whether a bulk export takes one `_typeFilter` of each type at most."""
    key_goes: str = "with the client's registration at the authorization server: the JWKS, or its URL"
    """Where the vendor wants the public key of a SMART Backend Services client."""
    advice: str = ""
    """What a site's IT should know before the first run."""

    def page_size(self, resource_type: str, asked: int, params: Iterable[tuple[str, str]] = ()) -> int | None:
        """The `_count` of a search that has these parameters; None where it takes none."""
        needs = self.count_needs.get(resource_type)
        if needs is not None and needs not in {name for name, _ in params}:
            return None
        return min(asked, self.page_sizes.get(resource_type, asked))

    def filter_faults(self, filters: Iterable[str]) -> list[str]:
        """What the vendor will not take of an export's `_typeFilter` values (`Observation?category=laboratory`)."""
        faults, types = [], list[str]()
        for each in filters:
            name, _, query = each.partition("?")
            types.append(name)
            used = {key.partition(":")[0] for key, _ in parse_qsl(query, keep_blank_values=True)}
            faults += [f"{name}: no {parameter} in a filter" for parameter in sorted(used & self.filter_rejects)]
        if self.one_filter_a_type:
            faults += [
                f"{name}: one filter a type" for name in sorted({each for each in types if types.count(each) > 1})
            ]
        return faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a server says of itself."""

    software: str = ""
    publisher: str = ""
    implementation: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of an answer: names and values."""
    token_endpoint: str = ""
    """As the SMART configuration names it."""
    base_url: str = ""


def vendor_names() -> list[str]:
    """The vendors there is a file for."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def vendor(name: str) -> Vendor:
    """The vendor of that file name. Raises OperatorError listing the known ones."""
    known = vendor_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean '{near[0]}'? " if near else ""
        raise OperatorError(
            f"fhir.vendor: '{name}' is not known",
            f"{hint}Known are {', '.join(known)}; generic serves where none fits.",
        )
    found: Vendor = importlib.import_module(f"{__name__}.{name}").VENDOR
    return found


def told_by(evidence: Evidence) -> tuple[str, str]:
    """The vendor's file name and by what it is told; empty where nothing tells it, or two things of one kind differ."""
    signs = {
        "software": evidence.software,
        "publisher": evidence.publisher,
        "implementation": evidence.implementation,
        "headers": "\n".join(_header_words(evidence.headers)),
    }
    kinds = [(kind, _named_in(text)) for kind, text in signs.items()]
    kinds += [("token endpoint", _placed_at(evidence.token_endpoint)), ("base URL", _placed_at(evidence.base_url))]
    for makers in (False, True):
        for kind, found in kinds:
            meant = [name for name in found if vendor(name).builds_for_others is makers]
            if len(meant) == 1:
                return meant[0], kind
    return "", ""


def _header_words(headers: Mapping[str, str]) -> Iterable[str]:
    """Names of headers and the values of those that name software: others may hold anything."""
    for name, value in headers.items():
        yield f"{name}: {value}" if name.lower() in ("server", "x-powered-by") else name


def _named_in(text: str) -> list[str]:
    return [name for name, names, _ in _signs() if names and names.search(text[:LONGEST_WORD])] if text else []


def _placed_at(url: str) -> list[str]:
    return [name for name, _, places in _signs() if places and places.search(url[:LONGEST_WORD])] if url else []


@cache
def _signs() -> list[tuple[str, re.Pattern[str] | None, re.Pattern[str] | None]]:
    def compiled(pattern: str) -> re.Pattern[str] | None:
        return re.compile(pattern, re.IGNORECASE) if pattern else None

    found = {name: vendor(name) for name in vendor_names()}
    return [(name, compiled(each.names), compiled(each.addresses)) for name, each in found.items()]
