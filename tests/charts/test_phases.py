"""What a series' last points say in a word, when its lines may begin anew, and how far down small denominators go."""

import pytest

from services.charts.chart import BASELINE, Approval, Chart, Phase, draw
from services.charts.icons import Assurance, Variation, assurance, variation
from services.charts.ladder import Rung, rung
from services.charts.point import Subgroup
from services.charts.rebasing import Annotation, Cause, Proposal, approve, proposals

STEADY = (10, 11, 9, 10, 12, 8, 11, 9, 12, 8, 10, 10)


def series(*values: float, target: float | None = None) -> Chart:
    """An I-chart whose lines the first twelve points set."""
    return draw("i", [Subgroup(value) for value in values], phases=[Phase(baseline=BASELINE)], target=target)


def proposed(chart: Chart, *annotations: Annotation, better: bool | None = True) -> list[Proposal]:
    """What is proposed for a measure of which more, less or neither is better."""
    return list(proposals(chart, higher_is_better=better, annotations=annotations))


def test_lasting_improvement_proposes_new_lines() -> None:
    """Eight above the centre, and still there."""
    assert proposed(series(*STEADY, *[13] * 8)) == [Proposal(12, Cause.IMPROVEMENT)]
    assert proposed(series(*STEADY, *[13] * 7)) == []
    assert proposed(series(*STEADY, *[13] * 8, 9)) == []
    mirrored = [20 - value for value in (*STEADY, *[13] * 8)]
    assert proposed(series(*mirrored), better=False) == [Proposal(12, Cause.IMPROVEMENT)]


def test_deterioration_never_proposes_new_lines_by_itself() -> None:
    """However long it lasts; nor does a shift of which nobody said whether it is good."""
    assert proposed(series(*STEADY, *[7] * 30)) == []
    assert proposed(series(*STEADY, *[13] * 30), better=False) == []
    assert proposed(series(*STEADY, *[13] * 8), better=None) == []


def test_new_definition_and_what_was_done_on_purpose_are_proposed_where_they_are_noted() -> None:
    """Whichever way the series went; not before the phase under way, not after its end, and a note alone is no improvement."""
    changed, done = Annotation(14, Cause.DEFINITION), Annotation(15, Cause.INTERVENTION)
    elsewhere = Annotation(0, Cause.INTERVENTION), Annotation(99, Cause.INTERVENTION), Annotation(14, Cause.IMPROVEMENT)
    found = proposed(series(*STEADY, *[7] * 8), changed, done, *elsewhere)
    assert found == [Proposal(14, Cause.DEFINITION), Proposal(15, Cause.INTERVENTION)]


def test_new_lines_begin_only_by_a_person_with_a_reason() -> None:
    """The rule proposes, a person approves; the old lines stay as they were."""
    chart = series(*STEADY, *[13, 14] * 7)
    (proposal,) = proposed(chart)
    with pytest.raises(ValueError, match="name"):
        approve(chart.phases, proposal, by=" ", reason="a new clinic")
    with pytest.raises(ValueError, match="reason"):
        approve(chart.phases, proposal, by="R. Ames", reason="")
    phases = approve(chart.phases, proposal, by="R. Ames", reason="a dietitian at every visit")
    assert phases[1] == Phase(12, BASELINE, Approval("R. Ames", "a dietitian at every visit"))
    rebased = draw("i", [Subgroup(point.value) for point in chart.points], phases=phases)
    assert rebased.points[:12] == chart.points[:12]
    assert (rebased.centre, rebased.baseline) == (13.5, 12)
    assert proposed(rebased) == []
    with pytest.raises(ValueError, match="last phase"):
        approve(phases, proposal, by="R. Ames", reason="again")


def word(chart: Chart, *, better: bool | None = True) -> Variation:
    """The variation icon by the control set."""
    return variation(chart, chart.signals("control"), higher_is_better=better)


def test_variation_is_what_the_last_point_says() -> None:
    """From 13 points on; an old signal that is over says nothing."""
    assert word(series(*STEADY)) is Variation.TOO_FEW
    assert word(series(*STEADY, 10)) is Variation.COMMON_CAUSE
    assert word(series(*STEADY, 30)) is Variation.IMPROVING_HIGH
    assert word(series(*STEADY, 30), better=False) is Variation.CONCERNING_HIGH
    assert word(series(*STEADY, -9)) is Variation.CONCERNING_LOW
    assert word(series(*STEADY, -9), better=False) is Variation.IMPROVING_LOW
    assert word(series(*STEADY, -9), better=None) is Variation.UNJUDGED_LOW
    assert word(series(*STEADY, 30, 10, 9)) is Variation.COMMON_CAUSE


def test_less_variation_than_chance_is_neither_good_nor_bad() -> None:
    """Fifteen in the inner thirds have no direction."""
    assert word(series(*[10, 30, 10, 30, 10, 30] * 2, *[20.5, 19.5] * 8)) is Variation.UNJUDGED


@pytest.mark.parametrize(
    ("target", "better", "expected"),
    [
        (4, True, Assurance.MET),
        (4, False, Assurance.MISSED),
        (30, True, Assurance.MISSED),
        (30, False, Assurance.MET),
        (10, True, Assurance.BY_CHANCE),
        (None, True, Assurance.NO_TARGET),
        (10, None, Assurance.NO_TARGET),
    ],
)
def test_assurance_is_where_the_target_lies(target: float | None, better: bool | None, expected: Assurance) -> None:
    """On the good side of the limits, on the bad, or between them."""
    chart = series(*[10, 11] * 7, target=target)
    assert assurance(chart, higher_is_better=better) is expected


def test_assurance_needs_points_and_limits() -> None:
    """Twelve points are too few, and a run chart has no limits."""
    assert assurance(series(*STEADY, target=4), higher_is_better=True) is Assurance.TOO_FEW
    run = draw("run", [Subgroup(value) for value in STEADY * 2], target=4)
    assert assurance(run, higher_is_better=True) is Assurance.TOO_FEW


def test_small_denominators_go_down_the_ladder() -> None:
    """Months, quarters, between events, the points alone."""
    assert [rung(5, 15), rung(4, 12), rung(1, 4, events_known=True), rung(1, 4)] == [
        Rung.MONTH,
        Rung.QUARTER,
        Rung.BETWEEN_EVENTS,
        Rung.RUN,
    ]
