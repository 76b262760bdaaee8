"""The funnel against published data, values worked out by hand and a second implementation."""

import math
from statistics import NormalDist

import pytest
from how_many import some
from hypothesis import given, settings
from hypothesis import strategies as st

from services.charts.funnel import Flag, Funnel, Site, funnel, quantile

# Deaths after heart surgery on babies at twelve hospitals: Spiegelhalter et al., BUGS examples volume 1, "Surgical".
HOSPITALS = dict(
    zip(
        "ABCDEFGHIJKL",
        [
            *((0, 47), (18, 148), (8, 119), (46, 810), (8, 211), (13, 196)),
            *((9, 148), (31, 215), (14, 207), (8, 97), (29, 256), (24, 360)),
        ],
        strict=True,
    )
)


def of(rows: dict[str, tuple[float | None, float | None]]) -> Funnel:
    """The funnel of y and n by site."""
    return funnel([Site(name, y, n) for name, (y, n) in rows.items()])


def test_heart_surgery_on_babies() -> None:
    """208 of 2,814 died; hospital H stands out above, however wide chance and the spread between hospitals are drawn."""
    found = of(HOSPITALS)
    assert found.centre == pytest.approx(208 / 2814)
    assert found.tau2 > 0
    flags = {place.site.name: place.flag for place in found.places if place.flag}
    assert flags.keys() == {"H"}
    h = found.places[7]
    assert h.z == pytest.approx((31 / 215 - 208 / 2814) / math.sqrt(208 / 2814 * (1 - 208 / 2814) / 215))


def test_quantiles_are_interpolated_between_neighbours() -> None:
    """Hyndman and Fan's seventh definition: of 1 to 5 the tenth part lies at 1.4."""
    assert [quantile([5, 3, 1, 2, 4], share) for share in (0, 0.1, 0.5, 0.9, 1)] == pytest.approx([1, 1.4, 3, 4.6, 5])
    assert quantile([7], 0.1) == 7


def test_without_overdispersion_limits_are_exact() -> None:
    """Of 10 with p = ½: 2 to 8 at 2 sigma (F(1) = 1.1 %, F(7) = 94.5 %), 1 to 9 at 3 sigma (F(0) = 0.10 %, F(8) = 98.9 %)."""
    found = of({"a": (5, 10), "b": (4, 10), "c": (6, 10)})
    place = found.places[0]
    assert found.tau2 == 0
    assert (place.lower2, place.upper2, place.lower3, place.upper3) == (0.2, 0.8, 0.1, 0.9)
    assert "exact binomial" in " ".join(found.conventions)


def test_one_patient_is_no_outlier() -> None:
    """A site with one patient may have 0 of 1 or 1 of 1 by chance: neither is flagged."""
    found = of({"a": (50, 100), "b": (51, 100), "c": (49, 100), "d": (0, 1), "e": (1, 1)})
    assert found.tau2 == 0
    assert [place.flag for place in found.places] == [None] * 5


def test_flags_tell_alert_from_alarm() -> None:
    """Beyond 2 sigma and beyond 3; on the limit is within it."""
    alike = {f"s{k}": (50 + k % 3, 100) for k in range(20)}
    flags = {place.site.name: place.flag for place in of({**alike, "high": (63, 100), "low": (30, 100)}).places}
    assert (flags["high"], flags["low"]) == (Flag.ALERT, Flag.ALARM)
    assert set(flags.values()) == {None, Flag.ALERT, Flag.ALARM}
    upper = of(alike).places[0].upper2 or 0
    edge = of({**alike, "edge": (round(upper * 100), 100)})
    assert edge.places[-1].upper2 == upper
    assert edge.places[-1].flag is None


def test_observed_over_what_a_model_expects() -> None:
    """Centre 1, standard error √(1/E), exact Poisson limits: of 4 expected 1 to 8 at 2 sigma, up to 11 at 3."""
    sites = [Site("a", 4, None, 4.0), Site("b", 5, None, 4.0), Site("c", 3, None, 4.0), Site("d", 30, None, 4.0)]
    found = funnel(sites[:3], model="readmission 2.1")
    place = found.places[0]
    assert found.centre == 1
    assert (place.lower2, place.upper2, place.upper3) == (1 / 4, 8 / 4, 11 / 4)
    assert found.places[1].z == pytest.approx(0.5)
    assert "readmission 2.1" in found.conventions[0]
    assert funnel(sites, model="readmission 2.1").tau2 > 0


def test_site_without_denominator_stands_apart() -> None:
    """n = 0 or unknown: no value, no z, no limits, and it moves nothing."""
    with_gaps, without = (
        of({"a": (5, 10), "gap": (0, 0), "b": (3, 10), "unknown": (None, 9), "c": (4, 10)}),
        of({"a": (5, 10), "b": (3, 10), "c": (4, 10)}),
    )
    assert [place for place in with_gaps.places if place.value is not None] == list(without.places)
    gap = with_gaps.places[1]
    assert (gap.value, gap.z, gap.lower3, gap.upper3, gap.flag) == (None, None, None, None, None)


def test_few_sites_and_no_spread() -> None:
    """No site, one site, and sites at which everybody reached it."""
    assert (of({}).centre, of({"a": (0, 0)}).phi) == (None, None)
    one = of({"a": (3, 10)})
    assert (one.tau2, one.places[0].z, one.places[0].flag) == (0, 0, None)
    every = of({"a": (10, 10), "b": (9, 9)})
    assert (every.phi, every.tau2, every.places[0].z, every.places[0].lower3, every.places[0].flag) == (
        *(None, 0, None, 1),
        None,
    )


def brute(rows: list[tuple[int, int]]) -> tuple[float, float, list[tuple[float, float]]]:
    """φ, τ² and the limits at 3 sigma, from the formulas alone."""
    centre = sum(y for y, _ in rows) / sum(n for _, n in rows)
    errors = [math.sqrt(centre * (1 - centre) / n) for _, n in rows]
    z = [(y / n - centre) / error for (y, n), error in zip(rows, errors, strict=True)]
    position = sorted(z)

    def cut(share: float) -> float:
        at = share * (len(z) - 1)
        return position[math.floor(at)] * (1 - at % 1) + position[math.ceil(at)] * (at % 1)

    phi = sum(max(cut(0.1), min(cut(0.9), one)) ** 2 for one in z) / len(z)
    w = [error**-2 for error in errors]
    tau2 = (len(z) * phi - len(z) + 1) / (sum(w) - sum(one**2 for one in w) / sum(w))
    if tau2 > 0:
        wide = [3 * math.sqrt(error**2 + tau2) for error in errors]
        return phi, tau2, [(max(0.0, centre - one), min(1.0, centre + one)) for one in wide]
    tails = NormalDist().cdf(-3), NormalDist().cdf(3)
    return phi, 0.0, [(_smallest(n, centre, tails[0]) / n, _smallest(n, centre, tails[1]) / n) for _, n in rows]


def _smallest(n: int, p: float, probability: float) -> int:
    chance = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    return next((k for k in range(n + 1) if math.fsum(chance[: k + 1]) >= probability), n)


SITES = st.lists(
    st.integers(1, 90).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=2, max_size=30
).filter(lambda rows: 0 < sum(y for y, _ in rows) < sum(n for _, n in rows))
ALIKE = st.lists(st.integers(8, 80).map(lambda n: (n // 4 + n % 2, n)), min_size=2, max_size=20)


@given(st.one_of(SITES, ALIKE))
@settings(max_examples=some(80))
def test_against_brute_force(rows: list[tuple[int, int]]) -> None:
    """Centre, φ, τ² and limits, with overdispersion and without."""
    found = funnel([Site(str(k), y, n) for k, (y, n) in enumerate(rows)])
    phi, tau2, limits = brute(rows)
    assert found.phi == pytest.approx(phi, rel=1e-9, abs=1e-12)
    assert found.tau2 == pytest.approx(tau2, rel=1e-6, abs=1e-12)
    assert [(place.lower3, place.upper3) for place in found.places] == [pytest.approx(pair) for pair in limits]
