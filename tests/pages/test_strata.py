"""Groups beside each other: the widest gap is named in a sentence, with whole counts, and whether chance may give it."""

import pytest

from services.measures.evaluate.counts import NETWORK, Counts
from services.measures.library import measures
from services.pages.strata import kind_of


def counts(**groups: tuple[int, int]) -> list[Counts]:
    """Met and measured by language; and another site's, which count for nothing here."""
    ours = [Counts(NETWORK, "2026", measured, measured, met, stratum=name) for name, (met, measured) in groups.items()]
    return [*ours, Counts("west", "2026", 50, 50, 0, stratum="fr")]


@pytest.mark.parametrize(
    ("groups", "tones"),
    [
        ({"en": (300, 400), "es": (40, 100)}, ["better", "worse"]),
        ({"en": (300, 400), "es": (70, 100)}, ["", ""]),
        ({"en": (300, 400), "es": (40, 100), "ar": (41, 55), "fr": (2, 4)}, ["better", "worse", "", ""]),
        ({"en": (0, 40), "es": (0, 20)}, ["", ""]),
    ],
)
def test_two_groups_that_differ_much_are_told_as_such(groups: dict[str, tuple[int, int]], tones: list[str]) -> None:
    """However few groups there are: how they differ among each other is the question, not noise to be allowed for."""
    found = kind_of("language", counts(**groups), measures()["cf2"], NETWORK)
    assert [group.tone for group in found.groups] == tones


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (
            {"en": (300, 400), "es": (40, 100)},
            "300 of 400 (75%) of the group “English” reached it, and 40 of 100 (40%) of the group “Spanish” reached it: 35 points "
            "apart, more than chance gives.",
        ),
        (
            {"en": (30, 40), "es": (7, 10)},
            "30 of 40 (75%) of the group “English” reached it, and 7 of 10 (70%) of the group “Spanish” reached it: 5 points apart, "
            "which chance alone may give.",
        ),
        ({"en": (30, 40), "es": (6, 8)}, "The groups do not differ."),
        ({"en": (30, 40), "es": (0, 4)}, "There are no two groups of enough people to compare."),
        ({"en": (30, 40)}, "There are no two groups of enough people to compare."),
        ({"en": (30, 40), "UNK": (2, 40)}, "There are no two groups of enough people to compare."),
        ({"en": (30, 40), "es": (6, 8), "UN": (2, 40)}, "The groups do not differ."),
        ({}, ""),
    ],
)
def test_the_widest_gap_is_named(groups: dict[str, tuple[int, int]], said: str) -> None:
    """Only between groups of enough people; those of whom it is not told are no group."""
    assert kind_of("language", counts(**groups), measures()["cf2"], NETWORK).gap == said


def test_payers_and_distances_are_told_in_words_and_what_it_takes_to_know_them() -> None:
    """Distances from near to far; of whom none is known last, in a sentence too, however many sites tell it."""
    groups = {"100+": (30, 60), "0-9": (10, 40), None: (40, 90), "25-49": (5, 20)}
    told = [Counts(NETWORK, "2026", count, count, met, stratum=name) for name, (met, count) in groups.items()]
    kind = kind_of("distance", told, measures()["cf2"], NETWORK)
    assert [group.title for group in kind.groups] == ["0 to 9 miles", "25 to 49 miles", "100 or more miles", "Not told"]
    assert (kind.untold, kind.needs[:24]) == ("Of 90 of 210 it is not known.", "How far somebody lives f")
    payers = [Counts(NETWORK, "2026", 50, 50, 10, stratum=name) for name in ("2", "several")]
    kind = kind_of("payer", payers, measures()["cf2"], NETWORK)
    assert [group.title for group in kind.groups] == ["Medicaid", "More than one alike"]
    assert kind.needs == ""
    assert {*measures()["cf2"].strata} >= {"payer", "distance"}


def test_it_is_said_of_how_many_the_group_is_not_known() -> None:
    """Not of a few."""
    for unknown, said in ((40, "Of 40 of 80 it is not known."), (4, "")):
        kind = kind_of("language", counts(en=(30, 40), UNK=(2, unknown)), measures()["cf2"], NETWORK)
        assert kind.untold == said


def test_a_group_alone_is_set_beside_nobody() -> None:
    """As where of nobody it is known who pays."""
    (alone,) = kind_of("language", counts(en=(30, 40)), measures()["cf2"], NETWORK).groups
    assert alone.said == "no others to compare with"


def test_a_language_of_a_country_is_named() -> None:
    """BCP 47: what stands behind the language is shown beside its name."""
    groups = kind_of(
        "language", counts(**{"en-US": (30, 40), "tlh": (5, 9), "UNK": (1, 8)}), measures()["cf2"], NETWORK
    )
    assert [group.title for group in groups.groups] == ["English (US)", "tlh", "Not known"]
