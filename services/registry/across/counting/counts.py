"""What is counted at each site: plain numbers, so that a check can be tried without a registry."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Numbers(NamedTuple):
    """How the numbers of a code lie at a site, in one unit."""

    total: int
    low: float
    """A quarter lies below."""
    middle: float
    high: float
    """A quarter lies above."""


@dataclass(frozen=True)
class Counts:
    """Of all sites; the key's first member is the site."""

    persons: Mapping[str, int]
    having: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    """Persons that have a record, by site, type and code; of any code where the code is empty."""
    records: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Records, by site and type."""
    filled: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    """Records whose field is filled, by site, type and field."""
    units: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    """Numbers, by site, code and unit."""
    numbers: Mapping[tuple[str, str, str], Numbers] = field(default_factory=dict)
    """By site, code and unit."""
    days: Mapping[tuple[str, str, int, int], int] = field(default_factory=dict)
    """Records, by site, type, weekday (0 Monday) and day of the month."""
    digits: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    """Numbers as they were written, by site, code and last digit."""
