"""What a signal of a chart says, in a sentence for people; the pages and the command line say the same."""

from services.charts.patterns import Rule, Signal
from services.charts.runs import Runs


def explain(signal: Signal, periods: str) -> str:
    """A signal in plain words; `periods`: what its points are, several of them (months, points)."""
    length, way = len(signal.places), "above" if signal.up else "below"
    limit = "upper" if signal.up else "lower"
    match signal.rule:
        case Rule.ONE_BEYOND_3_SIGMA:
            return f"{way} the {limit} limit: further from the average than chance would take it"
        case Rule.EIGHT_ONE_SIDE | Rule.SEVEN_ONE_SIDE:
            return f"{length} {periods} in a row {way} the average: the level has changed"
        case Rule.SIX_RISING_OR_FALLING | Rule.SEVEN_RISING_OR_FALLING:
            return f"{'rising' if signal.up else 'falling'} over {length} {periods} in a row"
        case Rule.TWO_OF_THREE_OUTER_THIRD | Rule.TWO_OF_THREE_BEYOND_2_SIGMA:
            return f"two of three {periods} in a row close to or beyond the {limit} limit"
        case Rule.FIFTEEN_INNER_THIRD:
            return (
                f"{length} {periods} in a row unusually close to the average: less variation than chance gives; "
                "look at how it is counted"
            )


def explain_runs(runs: Runs) -> str:
    """What the runs say, in plain words."""
    if runs.longest_max is None or runs.crossings_min is None:
        return "every point is on the centre line: nothing can be said of runs"
    said = (
        f"longest run {runs.longest} (chance gives at most {runs.longest_max}), "
        f"crossings of the centre line {runs.crossings} (at least {runs.crossings_min})"
    )
    return f"{said}: {'the level has changed' if runs.signal else 'what chance gives'}"


def many(count: int, one: str) -> str:
    """So many of something: 1 day, 1,200 days."""
    return f"{count:,} {one}{'' if count == 1 else 's'}"
