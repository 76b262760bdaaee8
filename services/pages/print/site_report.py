"""The monthly site report: what it says, in plain texts. `pdf` and `png` set it."""

from dataclasses import dataclass, field

TEMPLATE = "site_report"


@dataclass(frozen=True, slots=True)
class MeasurePage:
    """One measure: one sentence, one picture, one action."""

    key: str
    """Its name in addresses."""
    title: str
    question: str
    sentence: str
    action: str
    last: str
    """The last complete period's value, short."""
    variation: str
    assurance: str
    tone: str
    """better, worse, odd or none."""
    picture: str | None
    alternative: str
    """What the picture shows, in words."""
    signals: tuple[tuple[str, str, str], ...] = ()
    """Tone, what it is called, what it says."""
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SiteReport:
    """The whole report."""

    network: str
    site: str
    title: str
    summary: str
    foot: str
    data: tuple[str, ...]
    """What the figures are of: as of when, how complete."""
    types: tuple[tuple[str, str, str], ...]
    """Type, whether it came, up to when it is whole."""
    unknown: tuple[tuple[str, str], ...]
    """Measures of which nothing is known here, and what never came."""
    gaps: tuple[str, ...]
    """What is missing, with what to do."""
    refused: tuple[tuple[str, str, str], ...]
    """Type, how many lines, why and what to do."""
    pages: tuple[MeasurePage, ...] = field(default_factory=tuple)
