"""What checks find of a record stands among its flags in every event, so that whoever counts may leave it out."""

import json
from pathlib import Path

import pytest
from judged_children import HEIGHT, WEIGHT, clinic, times
from network_under_test import Network
from sqlalchemy import text
from synthetic_children import Resource, deliver

from mainstem import refresh as steps
from mainstem.state.flags import with_flags
from schemas.events import IMPLAUSIBLE, IMPLAUSIBLE_FLAGS
from transforms.quality import flag_of, shipped

CHILDREN = clinic(4)
TYPES = ["Patient", "Encounter", "Observation"]
FALLING, OTHER_UNIT = f"{IMPLAUSIBLE}height-falling", f"{IMPLAUSIBLE}weight-unit"


def night(lhn: Network, site: Path, resources: list[Resource], derive: str = "bmi") -> tuple[dict[str, set[str]], int]:
    """A load of what the hospital delivers; afterwards the registry's flags by record, and how many events the load sent."""
    deliver(resources, site.parent / "delivery")
    settings = lhn.settings.model_copy(update={"derive": derive})
    with steps.open_refresh(site, settings) as refresh:
        report = steps.run(refresh)
    lhn.consume()
    rows = [
        row for name in ("observation", "person", "encounter") for row in lhn.registry(f"SELECT id, flags FROM {name}")
    ]
    told = {record: json.loads(flags) if isinstance(flags, str) else flags for record, flags in rows}
    return {record: set(flags) for record, flags in told.items() if flags}, report.published


@pytest.fixture
def site(lhn: Network, tmp_path: Path) -> Path:
    (tmp_path / "delivery").mkdir()
    return lhn.files_site("west", tmp_path / "delivery", types=TYPES)


def in_inches(*children: int) -> list[Resource]:
    """The fifth visit of some children, its height in inches."""
    names = tuple(f"kid-{number}-visit-5-" for number in children)
    return times(CHILDREN, HEIGHT, 1 / 2.54, lambda each: each["id"].startswith(names))


@pytest.mark.slow
def test_flags_come_stay_and_go_with_what_is_found(lhn: Network, site: Path) -> None:
    """From the first load on; a night that brings the same sends nothing; a correction takes the flag away."""
    found, sent = night(lhn, site, in_inches(1, 2))
    fallen = {record for record, flags in found.items() if FALLING in flags}
    assert len(fallen) == 2
    assert sent >= len(CHILDREN)
    assert night(lhn, site, in_inches(1, 2)) == (found, 0)
    fewer, sent = night(lhn, site, in_inches(1))
    assert sum(FALLING in flags for flags in fewer.values()) == 1
    assert sent < 10, "only what changed, and whose flags changed"
    gone, _ = night(lhn, site, CHILDREN)
    assert not any(FALLING in flags for flags in gone.values())


@pytest.mark.slow
def test_night_by_night_is_what_all_at_once_would_be(lhn: Network, site: Path) -> None:
    """Faults that come and go; then everything judged anew."""
    pounds = times(in_inches(1, 3), WEIGHT, 2.20462, lambda each: each["id"].startswith("kid-2-visit-3-"))
    for resources in (CHILDREN, in_inches(2), pounds):
        found, _ = night(lhn, site, resources)
    assert {FALLING, OTHER_UNIT} <= {flag for flags in found.values() for flag in flags}
    assert night(lhn, site, pounds, "none")[0] == {}, "who wants nothing derived is told no findings"
    assert night(lhn, site, pounds)[0] == found


def test_an_interrupted_step_flags_the_same(lhn: Network, site: Path) -> None:
    """Done twice, in one load, it changes nothing more; what waits is numbered anew, so that no publisher marks it unsent."""
    deliver(in_inches(1), site.parent / "delivery")
    settings = lhn.settings.model_copy(update={"derive": "bmi"})
    with steps.open_refresh(site, settings) as refresh:
        load = steps.plan(refresh)
        steps.pull_units(refresh, load.load, load.plan.units)
        steps.map_types(refresh, load.load, TYPES)
        before = {change.id: change.number for change in refresh.store.outbox.pending("west", limit=10_000)}
        assert steps.derive(refresh, load.load) > 0
        after = {change.id: change for change in refresh.store.outbox.pending("west", limit=10_000)}
        flagged = [each for each in after.values() if FALLING.encode() in each.provenance]
        assert flagged
        assert all(each.number > before[each.id] for each in flagged)
        assert steps.derive(refresh, load.load) == 0
        with refresh.store.database.read() as connection:
            kept = connection.execute(text("SELECT count(*) FROM finding")).scalar_one()
        assert kept >= len(flagged)


def test_a_consumer_knows_every_flag_of_what_is_not_to_be_believed() -> None:
    """Those of mapping, and those of each check that judges a person alone; what is told twice, or replaced in a circle, is believed."""
    of_checks = {flag_of(name) for name, check in shipped().items() if check.alone}
    assert {*IMPLAUSIBLE_FLAGS} == {"implausible-low", "implausible-high"} | of_checks - {
        "duplicates",
        "replaced-in-circle",
    }
    assert all(flag.startswith(IMPLAUSIBLE) for flag in IMPLAUSIBLE_FLAGS)


def test_flags_join_those_of_mapping() -> None:
    """In order, each once; where mapping noticed nothing they stand alone."""
    bare = b'"source":[],"mapping":"observation@1"'
    assert with_flags(bare, ("duplicates",)) == bare + b',"flags":["duplicates"]'
    assert with_flags(bare + b',"flags":["unit-converted"]', ("duplicates", "unit-converted")) == (
        bare + b',"flags":["duplicates","unit-converted"]'
    )
