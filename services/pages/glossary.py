"""Words that not everybody knows, explained on the page that uses them: `{{ word("p-chart") }}` links to its line at the end."""

import re

from markupsafe import Markup, escape

MEANINGS = {
    "BMI percentile": (
        "Body mass index is weight for height. A percentile compares a child with 100 children of the same age and sex: at "
        "percentile 50, half of them weigh less for their height."
    ),
    "HbA1c": "The share of red blood pigment that carries sugar: how high blood sugar was over the last two to three months.",
    "FEV1": (
        "How much air somebody breathes out in the first second of a hard breath. Its share of predicted compares it with healthy "
        "people of the same age, sex and height."
    ),
    "PUCAI": "A score of ulcerative colitis in children, 0 to 85: below 10 is quiet, 65 and more is severe.",
    "PHQ-9": "Nine questions on depression, 0 to 27 points: from 10 on somebody should look closer.",
    "ACT": "Asthma Control Test: five questions, 5 to 25 points; 20 and more is well controlled.",
    "remission": "The disease is quiet: the care team sees no or hardly any sign of it.",
    "percentile": (
        "A place among 100 people of the same age and sex: at percentile 25, 25 of them have a lower value and 75 a higher one."
    ),
    "p-chart": (
        "A chart of shares over time (how many of those measured reached the goal), with the limits within which a share of so "
        "many people moves by chance alone. p stands for proportion."
    ),
    "chance": (
        "Figures go up and down though nothing has changed, because other people come each month. A point is called better or "
        "worse only where these ups and downs alone would hardly ever bring it about."
    ),
    "limits": (
        "The band within which nearly all points lie while nothing changes: the average, and three standard errors to either "
        "side. The fewer people a point counts, the wider the band."
    ),
    "standard error": "How far a share of so many people typically lies from the true one, by chance alone.",
    "signal": "A pattern that chance alone would hardly ever make. It says that something changed, not what.",
    "variation": "Whether the last point is part of a signal: getting better, getting worse, or the usual ups and downs.",
    "assurance": "Whether the target will be met if nothing changes, by where it lies beside the limits.",
    "funnel plot": (
        "Sites side by side, each by how many people it counts. Within the funnel, differences are what chance gives; it is no "
        "ranking."
    ),
    "gap": "Something of a site's data that could not be read. What is missing is unknown, not zero.",
    "pseudonym": "What stands for a person here. Only the site that gave it can tell whose it is.",
    "stands out": "A last known value that by the measure's own bands is of concern, or that fell far within a year.",
    "derived": "Computed by a published method from records: the method and the records are named.",
    "contested": "Somebody who knows the patient says that the record is wrong; the site looks and answers.",
    "set aside": "Left out of one measure by the site, for a reason that is told and until a day; counted beside the figure.",
    "overdue": "Expected by now, by the network's rule, and not there.",
    "record": "One fact of a person's care as the site sent it, with when it was sent and from what kind of entry.",
}
"""A word and its meaning, in plain words."""

NAMED = {
    term.lower(): term
    for term in ("BMI percentile", "HbA1c", "FEV1", "PUCAI", "PHQ-9", "ACT", "remission", "percentile")
}
"""Terms that are looked for in texts: those that mean one thing wherever they stand."""
TERMS = re.compile(
    rf"(?<![\w-])({'|'.join(re.escape(term) for term in sorted(NAMED, key=len, reverse=True))})(?![\w-])", re.IGNORECASE
)


class Glossary:
    """The words one page uses."""

    def __init__(self) -> None:
        self.used: dict[str, str] = {}

    def word(self, term: str, shown: str = "") -> Markup:
        """The term as a link to its meaning. Raises KeyError for one that has none."""
        self.used[term] = MEANINGS[term]
        return Markup('<a class="word" href="#word-{}">{}</a>').format(self.place(term), escape(shown or term))

    def explained(self, text: str) -> Markup:
        """The text, with the first of each term that it names linked to its meaning; the longest term wins."""
        linked: set[str] = set()
        said = Markup()
        for part in TERMS.split(text):
            term = _term(part)
            said += self.word(term, part) if term is not None and term not in linked else escape(part)
            linked |= {term} if term is not None else set()
        return said

    @staticmethod
    def place(term: str) -> str:
        """The term as part of an address."""
        return term.lower().replace(" ", "-")


def _term(part: str) -> str | None:
    """The term that a part of a text is; an abbreviation in small letters is another word."""
    term = NAMED.get(part.lower())
    return None if term is None or (term.isupper() and part != term) else term
