"""What is true in the network: eight sites, four conditions, thirty-six months; two sites that improved after a test of
change, one that got worse, one whose feed of results broke; and children for whom Medicaid pays, who fare worse at every site.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

AS_OF = datetime(2026, 11, 2, 6, 30, tzinfo=UTC)
"""When the sites' data were last brought."""
FIRST_MONTH = date(2023, 11, 1)
MONTHS = 36
VISIT_MONTHS = 3
"""A child is seen every so many months."""


@dataclass(frozen=True, slots=True)
class Clinic:
    """Children with one condition, and the share of them who reach what is wanted."""

    name: str
    snomed: str
    icd10cm: str
    display: str
    share: float
    ages: tuple[float, float]
    """Ages in years at the first month."""


IBD = Clinic("ibd", "34000006", "K50.90", "Crohn's disease (disorder)", 0.58, (7, 8.6))
CF = Clinic("cf", "190905008", "E84.0", "Cystic fibrosis (disorder)", 0.55, (6, 8.6))
T1D = Clinic("t1d", "46635009", "E10.9", "Type 1 diabetes mellitus (disorder)", 0.45, (12, 14.4))
ASTHMA = Clinic("asthma", "195967001", "J45.909", "Asthma (disorder)", 0.62, (12, 14.4))
CLINICS = (IBD, CF, T1D, ASTHMA)
"""Asthma and diabetes have only children from twelve years, at which their questionnaires begin; the others none."""


@dataclass(frozen=True, slots=True)
class KnownSite:
    """A site: how many children it cares for in each clinic, in threes."""

    id: str
    time_zone: str
    thirds: int
    """Children of a clinic who are seen in one month."""
    aside: float
    """How far its shares lie from the network's."""
    place: tuple[float, float] | None = None
    """Degrees north and east; None where neither coverage nor how far children live is read."""


@dataclass(frozen=True, slots=True)
class Shift:
    """From a month on the share is another."""

    site: str
    clinic: str
    since: date
    share: float


@dataclass(frozen=True, slots=True)
class TestOfChange:
    """What a site tried, from when on."""

    site: str
    clinic: str
    since: date
    what: str
    by: str
    aim: float = 80
    prediction: str = "Visits are planned with what is known, so more children reach remission"
    start: str = "The next five visits of one doctor"


@dataclass(frozen=True, slots=True)
class BrokenFeed:
    """From a day on a type no longer comes from a site."""

    site: str
    fhir_type: str
    since: date
    reason: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Children of one payer stand lower among the others: its share of those in the lower half, and of those in the upper."""

    payer: str
    """Group of the Source of Payment Typology."""
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Known:
    """All that is true."""

    sites: tuple[KnownSite, ...]
    shifts: tuple[Shift, ...]
    tests_of_change: tuple[TestOfChange, ...]
    broken: BrokenFeed
    gap: Gap
    seed: int = 75

    def share(self, site: KnownSite, clinic: Clinic, month: date) -> float:
        """The true share of a site's children who reach what is wanted."""
        changed = [each for each in self.shifts if (each.site, each.clinic) == (site.id, clinic.name)]
        share = clinic.share + site.aside
        for shift in sorted(changed, key=lambda each: each.since):
            share = shift.share if month >= shift.since else share
        return share

    def improved(self) -> Iterable[Shift]:
        """Shifts to the better: more children reach what is wanted."""
        return (each for each in self.shifts if each.share > _share_of(each.clinic))


def _share_of(clinic: str) -> float:
    return next(each.share for each in CLINICS if each.name == clinic)


PRE_VISIT = "Pre-visit planning: the team looks at every chart two days before the visit"

KNOWN = Known(
    sites=(
        KnownSite("birchwood", "America/New_York", 20, 0.02, (42.36, -71.06)),
        KnownSite("cedar-hill", "America/Chicago", 14, -0.03, (41.88, -87.63)),
        KnownSite("clearwater", "America/Los_Angeles", 16, 0.0, (34.05, -118.24)),
        KnownSite("fairview", "America/Denver", 16, 0.03, (39.74, -104.99)),
        KnownSite("highland", "America/New_York", 18, -0.02, (35.23, -80.84)),
        KnownSite("northgate", "America/Chicago", 12, 0.01, (44.98, -93.27)),
        KnownSite("quarry", "America/Phoenix", 15, -0.01, (33.45, -112.07)),
        KnownSite("stonebridge", "America/New_York", 13, 0.0),
    ),
    shifts=(
        Shift("birchwood", "ibd", date(2025, 9, 1), 0.84),
        Shift("fairview", "ibd", date(2025, 11, 1), 0.84),
        Shift("highland", "t1d", date(2026, 1, 1), 0.18),
    ),
    tests_of_change=(
        TestOfChange("birchwood", "ibd", date(2025, 9, 1), PRE_VISIT, "QI team of Birchwood"),
        TestOfChange("fairview", "ibd", date(2025, 11, 1), PRE_VISIT, "QI team of Fairview"),
    ),
    broken=BrokenFeed(
        "quarry", "Observation", date(2026, 7, 6), "the interface has delivered no results since 6 July 2026"
    ),
    gap=Gap("2", 0.68, 0.3),
)
