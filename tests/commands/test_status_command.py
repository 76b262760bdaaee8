"""`mainstem status` tells a person in the morning how the night was, and ends so that a script hears of it."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hospital_with_faults import Answered, FaultyHospital
from screens import Said

from mainstem.commands.status import fresh_until
from mainstem.config.settings import Settings
from mainstem.state import Plan, State
from mainstem.state.site_status import gather
from mainstem.state.status import SiteType
from schemas.errors import ExitCode, TemporaryError
from schemas.loads import Gap

NIGHT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
DOWN = TemporaryError("nothing answers at ehr.north.example:443", "See that the EHR is up.", who="site IT")


@pytest.fixture
def store(url: str) -> Iterator[State]:
    """The state, on SQLite and on PostgreSQL."""
    state = State.open(url)
    state.migrate()
    yield state
    state.close()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that is empty."""
    return f"sqlite:///{tmp_path}/state.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def status(
    store: State, url: str, screen: Said, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """The command on that state."""
    monkeypatch.setenv("MAINSTEM_DATABASE_URL", url)
    return lambda *words: screen("status", *words)


def load(store: State, site: str, at: datetime, *, whole: bool = True) -> None:
    """A load of a site, with nothing in it."""
    begun = store.loads.start(site, mode="full", started=at, plan=Plan(types=["Patient"], units=["Patient"]))
    store.loads.begin_part(begun.id, "Patient", "mapping")
    if whole:
        store.loads.complete(begun.id, {}, ended=at)


def attempt(store: State, site: str, at: datetime, code: ExitCode | None, error: Any = None) -> None:
    """An attempt at a site; None: it did not end."""
    store.attempts.begin(site, at)
    if code is not None:
        store.attempts.end(site, at, code, error)


def site_file(folder: Path, name: str, schedule: str = "0 2 * * *") -> None:
    """A site that delivers a folder."""
    (folder / "sites").mkdir(exist_ok=True)
    (folder / "sites" / f"{name}.toml").write_text(
        f'site = "{name}"\nname = "{name}"\ntime_zone = "America/New_York"\nsubject_key = "env:KEY_OF_{name.upper()}"\n'
        f'schedule = "{schedule}"\n[files]\nfolder = "in"\n'
    )


def test_a_night_that_failed_is_told_with_its_cause(store: State, status: Any) -> None:
    """Two sites failed before there was a load; of both the load before had completed."""
    for site in ("east", "north"):
        load(store, site, NIGHT - timedelta(days=1))
        attempt(store, site, NIGHT, DOWN.exit_code, DOWN)
    code, out, _ = status()
    assert code == 3
    assert out.count("failed (75)") == 2
    assert out.count("nothing answers at ehr.north.example:443") == 2
    assert "fix: See that the EHR is up. (site IT)" in out
    row = json.loads(status("--json")[1])[0]
    assert (row["state"], row["attempt"]["exit_code"], row["attempt"]["who"]) == ("failed", 75, "site IT")
    assert row["attempt"]["began"] == NIGHT.isoformat().replace("+00:00", "Z")


def test_a_good_night_needs_no_attention(store: State, status: Any) -> None:
    load(store, "north", NIGHT)
    attempt(store, "north", NIGHT, ExitCode.DONE)
    code, out, _ = status()
    assert code == 0
    assert out.splitlines()[1].split()[:2] == ["north", "ok"]


def test_what_nobody_is_at_is_interrupted_and_what_somebody_is_at_runs(store: State, status: Any) -> None:
    """A lock vanishes with its process, whatever the load's row says."""
    load(store, "north", NIGHT, whole=False)
    attempt(store, "north", NIGHT, None)
    code, out, _ = status()
    assert (code, "interrupted" in out, "running" in out) == (3, True, False)
    assert "nobody is at it; all that it saved was sent" in out
    assert "`mainstem run` takes it up where it was" in out
    assert {row["load_status"] for row in json.loads(status("--json")[1])} == {"interrupted"}
    for step, part in (("run", ""), ("map", "Condition")):
        with store.holding("north", step, part):
            code, out, _ = status()
            assert (code, "interrupted" in out, "running" in out) == (0, False, True)
    with store.holding("north-east", "run"):
        assert "interrupted" in status()[1]


def test_a_site_that_missed_its_schedule_is_late(store: State, status: Any, tmp_path: Path) -> None:
    """By its own clock; the time that was missed is named, and the next one."""
    site_file(tmp_path, "north", schedule="0 * * * *")
    load(store, "north", NIGHT - timedelta(days=3))
    code, out, _ = status()
    assert code == 3
    assert "late" in out
    assert "nothing was loaded since its schedule's" in out
    row = json.loads(status("--json")[1])[0]
    assert row["next_load"] > datetime.now(UTC).isoformat()
    load(store, "north", datetime.now(UTC))
    assert status()[0] == 0


def test_a_site_with_a_file_alone_is_shown(store: State, status: Any, tmp_path: Path) -> None:
    """It was never loaded; one whose file is broken says why."""
    site_file(tmp_path, "south")
    code, out, _ = status("--site", "south")
    assert (code, "never loaded" in out) == (0, True)
    (tmp_path / "sites/south.toml").write_text("site = ")
    code, out, _ = status()
    assert (code, "broken file" in out) == (3, True)
    assert "not valid TOML" in out


def test_an_attempt_that_fails_is_kept_with_its_cause(screen: Said, north: FaultyHospital, tmp_path: Path) -> None:
    """From the real command: the server is busy, so there comes to be no load."""
    north.faults.append(lambda _: Answered({"resourceType": "OperationOutcome"}, 403))
    code, _, _ = screen("run", "north")
    assert code == 78
    code, out, _ = screen("status")
    assert code == 3
    assert "failed (78)" in out
    assert "(403)" in out
    assert "(site IT)" in out


def test_the_page_says_the_same_and_needs_nothing_beside_it(store: State, status: Any, tmp_path: Path) -> None:
    load(store, "north", NIGHT - timedelta(days=1))
    attempt(store, "north", NIGHT, DOWN.exit_code, TemporaryError("<b>busy</b>", "Wait.", who="site IT"))
    code, out, _ = status("--html", str(tmp_path / "status.html"))
    page = (tmp_path / "status.html").read_text()
    assert (code, out) == (3, "")
    assert "north needs attention" in page
    assert "&lt;b&gt;busy" in page
    assert "http" not in page.replace("http-equiv", "")
    assert oct((tmp_path / "status.html").stat().st_mode)[-3:] == "600"


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
def test_schedule_is_kept_in_the_sites_own_time(store: State, tmp_path: Path, zone: str) -> None:
    """Read at 02:10 of the site's clock: late is who was not, two hours later."""
    site_file(tmp_path, "north", schedule="0 2 * * *")
    path = tmp_path / "sites/north.toml"
    path.write_text(path.read_text().replace("America/New_York", zone))
    two = {
        "America/New_York": datetime(2026, 3, 3, 7, tzinfo=UTC),
        "Asia/Kolkata": datetime(2026, 3, 2, 20, 30, tzinfo=UTC),
    }
    due, settings = two[zone], Settings(sites=tmp_path / "sites")
    load(store, "north", due - timedelta(hours=23, minutes=50))
    for hours, late in ((1.5, None), (2.5, due)):
        (found,) = gather(store, settings, due + timedelta(hours=hours))
        assert found.late_since == late
        assert found.next_load == due + timedelta(days=1)


def test_a_load_is_told_against_the_sites_own_past(store: State, status: Any, tmp_path: Path) -> None:
    """Full reads with full reads; without a habit nothing is called usual."""

    def took(night: int, minutes: int, mode: Any = "incremental") -> None:
        at = NIGHT - timedelta(days=10 - night)
        begun = store.loads.start("north", mode=mode, started=at, plan=Plan(types=["Patient"], units=["Patient"]))
        store.loads.begin_part(begun.id, "Patient", "mapping")
        store.loads.complete(begun.id, {}, ended=at + timedelta(minutes=minutes))

    took(0, 90, "full")
    for night, minutes in ((1, 4), (2, 3), (3, 5)):
        took(night, minutes)
    row = json.loads(status("--all", "--json")[1])[0]
    assert (row["took_seconds"], row["usually_seconds"]) == (300, None)
    took(4, 40)
    row = json.loads(status("--json")[1])[0]
    assert (row["took_seconds"], row["usually_seconds"]) == (2400, 240)
    assert "40 min (usually 4 min)" in status()[1]
    page = tmp_path / "page.html"
    status("--html", str(page))
    assert "Last whole load took: 40 min (usually 4 min)" in page.read_text()
    code, _, said = status("--all", "--site", "north")
    assert code == 78
    assert "Give one of them" in said


def test_codes_on_the_page_lead_to_their_runbook_where_the_documentation_is_served(
    store: State, status: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = store.loads.start("north", mode="full", started=NIGHT, plan=Plan(types=["Patient"], units=["Patient"]))
    store.loads.begin_part(begun.id, "Patient", "mapping")
    gap = Gap(
        resource_type="Patient", reason="refused", cause="refused", fix="Ask.", who="site IT", since=None, until=NIGHT
    )
    store.loads.complete(begun.id, {}, ended=NIGHT, missing=[gap])
    page = tmp_path / "page.html"
    status("--html", str(page))
    assert "<a " not in page.read_text()
    monkeypatch.setenv("MAINSTEM_DOCS_ADDRESS", "https://docs.example")
    status("--html", str(page))
    assert '<a href="https://docs.example/reference/problems/#gap-refused">refused</a>' in page.read_text()


@pytest.mark.parametrize(
    ("resource_type", "record_type", "told"),
    [("derived_observation", "derived_observation", "with its inputs"), ("Condition", "condition", "not loaded")],
)
def test_what_is_derived_has_no_time_of_its_own(resource_type: str, record_type: str, told: str) -> None:
    """It is as fresh as what it is made of; "not loaded" stood beside a hundred thousand of them."""
    row = SiteType("north", resource_type, record_type, None, 5, 0, None, 0, [], {}, None, None, None)
    assert fresh_until(row, datetime(2026, 11, 26, tzinfo=UTC)) == told
