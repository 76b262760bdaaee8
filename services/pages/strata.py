"""A measure by groups of people: race, ethnicity, language, sex, payer, distance. Beside each chart, where there are enough of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from schemas.outcomes.people import BANDS
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
    "payer": {
        "1": "Medicare",
        "2": "Medicaid",
        "3": "Another government programme",
        "4": "Department of corrections",
        "5": "Private health insurance",
        "6": "Blue Cross or Blue Shield",
        "7": "Managed care, of whom is not told",
        "8": "Nobody: self-pay, or no charge",
        "9": "Another payer",
        "several": "More than one alike",
    },
    "distance": {band: f"{band} miles".replace("-", " to ").replace("100+", "100 or more") for band in BANDS},
}
KNOWN_WHERE = {
    "payer": "Who pays is known where a site reads Coverage: its site file names it (more_types).",
    "distance": "How far somebody lives from the site is known where the site's file names its place, and the record has the home's position.",
}
"""Of a kind that not every site tells: what it takes."""
FAR = 3
"""Standard errors beyond which a difference is more than chance gives: the limits of the charts."""
UNKNOWN = {"NI": "Not told", "UN": "Not known", "UNK": "Not known", "OT": "Another", "ASKU": "Did not want to say"}
NOT_TOLD = (UNKNOWN.keys() - {"OT"}) | {"unknown"}
"""Codes of no group."""


@dataclass(frozen=True, slots=True)
class Group:
    """People of one group in the last twelve months that are over, everybody once."""

    title: str
    met: int
    measured: int
    known: bool = True
    """Whether it is a group; false of those of whom it is not told."""
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

    @property
    def untold(self) -> str:
        """Of how many it is not known which group they are of; empty of none or of a few."""
        without = sum(each.measured for each in self.groups if not each.known)
        everybody = sum(each.measured for each in self.groups)
        return f"Of {without} of {everybody} it is not known." if without >= SMALLEST else ""

    @property
    def needs(self) -> str:
        """What it takes to know it, where it is not known of more than a few."""
        return KNOWN_WHERE.get(self.name, "") if self.untold else ""

    @property
    def gap(self) -> str:
        """The widest gap between two groups of enough people, in a sentence; that there are no two; empty where nobody was measured."""
        told = sorted((each for each in self.groups if each.enough and each.known), key=lambda group: group.share or 0)
        if len(told) < 2:
            return "There are no two groups of enough people to compare." if self.groups else ""
        least, most = told[0], told[-1]
        points = round(100 * ((most.share or 0) - (least.share or 0)))
        if not points:
            return "The groups do not differ."
        far = _beyond_chance((least.met, least.measured), (most.met, most.measured))
        judged = "more than chance gives" if far else "which chance alone may give"
        whom = f"{_counted(most)}, and {_counted(least)}"
        return f"{whom}: {points} {'point' if points == 1 else 'points'} apart, {judged}."


def _counted(group: Group) -> str:
    return f"{group.met} of {group.measured} ({group.share:.0%}) of the group “{group.title}” reached it"


def kind_of(name: str, counts: Iterable[Counts], measure: Measure, site: str) -> Kind:
    """The groups by one of the measure's strata, of a site or the network; `counts`: of twelve months."""
    sums: dict[str | None, list[int]] = defaultdict(lambda: [0, 0])
    for count in counts:
        if count.site == site:
            sums[count.stratum][0] += count.met
            sums[count.stratum][1] += count.measured
    groups = list(_judged(name, sums, measure))
    if name == "distance":
        groups.sort(key=lambda each: list(WORDS[name].values()).index(each.title) if each.known else len(WORDS[name]))
    return Kind(name, name.capitalize(), tuple(groups))


def _judged(name: str, sums: Mapping[str | None, Sequence[int]], measure: Measure) -> Iterable[Group]:
    """The largest first. Each beside all others of enough people together; nothing is made wider for how much groups differ among
    each other, for that is what is asked here."""
    ordered = sorted(sums.items(), key=lambda each: (-each[1][1], str(each[0])))
    told = [(met, measured) for _, (met, measured) in ordered if measured >= SMALLEST]
    everybody = sum(met for met, _ in told), sum(measured for _, measured in told)
    for code, (met, measured) in ordered:
        if not measured:
            continue
        others = everybody[0] - met, everybody[1] - measured
        known = code is not None and code not in NOT_TOLD
        if measured >= SMALLEST and others[1] and _beyond_chance((met, measured), others):
            better = (met * others[1] > others[0] * measured) == measure.higher_is_better
            said = f"{'better' if better else 'worse'} than chance gives: ask why, and with them"
            yield Group(title_of_group(name, code), met, measured, known, "better" if better else "worse", said)
        else:
            said = "within what chance gives" if others[1] else "no others to compare with"
            yield Group(title_of_group(name, code), met, measured, known, "", said)


def _beyond_chance(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two shares (met, measured) differ by more than three standard errors of their difference."""
    together = (one[0] + other[0]) / (one[1] + other[1])
    error = sqrt(together * (1 - together) * (1 / one[1] + 1 / other[1]))
    return abs(one[0] / one[1] - other[0] / other[1]) > FAR * error


def title_of_group(name: str, code: str | None) -> str:
    """A group's code in words."""
    if code is None:
        return "Not told"
    words = WORDS.get(name, {})
    if name == "language" and code not in words:
        language, _, where = code.partition("-")
        return f"{words[language]} ({where})" if language in words else UNKNOWN.get(code, code)
    return words.get(code) or UNKNOWN.get(code) or code
