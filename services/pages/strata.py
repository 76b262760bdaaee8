"""A measure by groups of people: race, ethnicity, language, sex. Beside each chart, where there are enough of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.charts.funnel import Flag, Site, funnel
from services.charts.ladder import SMALLEST
from services.measures.declared import Measure
from services.measures.evaluate.counts import Counts

WORDS = {
    "race": {
        "1002-5": "American Indian or Alaska Native",
        "2028-9": "Asian",
        "2054-5": "Black or African American",
        "2076-8": "Native Hawaiian or other Pacific Islander",
        "2106-3": "White",
        "2131-1": "Another race",
    },
    "ethnicity": {"2135-2": "Hispanic or Latino", "2186-5": "Not Hispanic or Latino"},
    "sex": {"female": "Girls and women", "male": "Boys and men", "other": "Another", "unknown": "Not known"},
    "language": {
        "en": "English",
        "es": "Spanish",
        "ar": "Arabic",
        "fr": "French",
        "ht": "Haitian Creole",
        "ko": "Korean",
        "ru": "Russian",
        "so": "Somali",
        "vi": "Vietnamese",
        "zh": "Chinese",
    },
}
UNKNOWN = {"NI": "Not told", "UN": "Not known", "UNK": "Not known", "OT": "Another", "ASKU": "Did not want to say"}


@dataclass(frozen=True, slots=True)
class Group:
    """People of one group in the last twelve months that are over, everybody once."""

    title: str
    met: int
    measured: int
    tone: str = ""
    """better or worse, where the difference is more than chance gives."""
    said: str = ""

    @property
    def enough(self) -> bool:
        """Whether there are enough of them to be told."""
        return self.measured >= SMALLEST

    @property
    def share(self) -> float | None:
        """Met of measured."""
        return self.met / self.measured if self.measured else None


@dataclass(frozen=True, slots=True)
class Kind:
    """One way of telling people apart."""

    name: str
    title: str
    groups: tuple[Group, ...]


def kind_of(name: str, counts: Iterable[Counts], measure: Measure, site: str) -> Kind:
    """The groups by one of the measure's strata, of a site or the network; `counts`: of twelve months."""
    sums: dict[str | None, list[int]] = defaultdict(lambda: [0, 0])
    for count in counts:
        if count.site == site:
            sums[count.stratum][0] += count.met
            sums[count.stratum][1] += count.measured
    return Kind(name, name.capitalize(), tuple(_judged(name, sums, measure)))


def _judged(name: str, sums: Mapping[str | None, Sequence[int]], measure: Measure) -> Iterable[Group]:
    """The largest first. Judged by the limits of chance around all of them together: beyond three standard errors is more."""
    ordered = sorted(sums.items(), key=lambda each: (-each[1][1], str(each[0])))
    told = {code: Site(str(code), met, measured) for code, (met, measured) in ordered if measured >= SMALLEST}
    drawn = funnel(list(told.values()))
    places = {place.site.name: place for place in drawn.places}
    for code, (met, measured) in ordered:
        place = places.get(str(code))
        far = place is not None and place.flag is Flag.ALARM and len(told) > 1
        higher = bool(place and place.value is not None and drawn.centre is not None and place.value > drawn.centre)
        if not measured:
            continue
        if far:
            better = higher == measure.higher_is_better
            said = f"{'better' if better else 'worse'} than chance gives: ask why, and with them"
            yield Group(_title(name, code), met, measured, "better" if better else "worse", said)
        else:
            yield Group(_title(name, code), met, measured, "", "within what chance gives")


def _title(name: str, code: str | None) -> str:
    if code is None:
        return "Not told"
    return WORDS.get(name, {}).get(code) or UNKNOWN.get(code) or code
