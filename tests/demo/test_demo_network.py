"""The demo's manners: one at a time, clear words about ports, nothing done without a running demo."""

import socket
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from mainstem.config.site_files import read_site
from mainstem.demo import run, run_day_two
from mainstem.demo.cohorts import HOSPITALS
from mainstem.demo.embedded import Hospital, free_port
from mainstem.demo.hospitals import SiteFiles
from mainstem.demo.network import keeper
from mainstem.demo.running_demo import PORTS, Demo, only_one
from schemas.errors import OperatorError


@pytest.fixture
def quiet() -> Console:
    return Console(quiet=True)


def test_second_demo_is_refused_with_the_addresses_of_the_first(tmp_path: Path, quiet: Console) -> None:
    """While one demo holds the state folder, another says where the first is, and leaves its notes alone."""
    with only_one(tmp_path):
        Demo(str(tmp_path), False, dict(PORTS), {}).save()
        with pytest.raises(OperatorError) as caught:
            run(quick=True, state=tmp_path, console=quiet, ports={})
        assert f"http://127.0.0.1:{PORTS['airflow']}" in caught.value.cause
        assert f"http://127.0.0.1:{PORTS['page']}" in caught.value.cause
        assert (tmp_path / "running.json").exists()


def test_busy_port_is_named_before_anything_starts(
    tmp_path: Path, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that somebody else has is named with the variable that chooses another; nothing was started."""
    for _ in range(5):
        for name in PORTS:
            monkeypatch.setenv(f"MAINSTEM_DEMO_{name.upper()}_PORT", str(free_port()))
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            monkeypatch.setenv("MAINSTEM_DEMO_HARBOR_PORT", str(port))
            with pytest.raises(OperatorError) as caught:
                run(quick=False, state=tmp_path, console=quiet, ports={})
        if str(port) in caught.value.cause:
            break  # else a test beside this one took another of the ports in between
    assert str(port) in caught.value.cause
    assert "MAINSTEM_DEMO_HARBOR_PORT" in caught.value.fix
    assert not (tmp_path / "pids").exists()


def test_day_two_without_a_demo_says_how_to_start_one(tmp_path: Path, quiet: Console) -> None:
    """Also when a killed demo left its notes behind."""
    Demo(str(tmp_path), False, dict(PORTS), {}).save()
    with pytest.raises(OperatorError) as caught:
        run_day_two(state=tmp_path, console=quiet)
    assert "make demo" in caught.value.fix


def test_site_files_hold_no_secret_and_can_be_read(tmp_path: Path) -> None:
    """Each hospital's file is a valid site; keys lie beside it, readable by their owner only, and stay the same."""
    files = SiteFiles(tmp_path)
    for plan in HOSPITALS:
        server = None if plan.road == "files" else Hospital(tmp_path, plan.site, client=files.client(plan))
        site = read_site(files.write(plan, server)).site
        assert (site.site, site.road) == (plan.site, plan.road)
    keys = {path: path.read_bytes() for path in files.keys.iterdir()}
    assert len(keys) == 5
    for path, content in keys.items():
        assert path.stat().st_mode & 0o077 == 0
        assert all(content not in text.read_bytes() for text in files.folder.glob("*.toml"))
    files.write(HOSPITALS[2], None)
    assert {path: path.read_bytes() for path in files.keys.iterdir()} == keys


@pytest.mark.parametrize(
    ("today", "since"), [(date(2026, 1, 31), "2025-11"), (date(2026, 3, 1), "2026-01"), (date(2026, 8, 31), "2026-06")]
)
def test_the_demo_keeps_results_of_the_last_three_months(today: date, since: str) -> None:
    """By a command of ours, beside the registry."""
    assert keeper(today) == ("results", "feedback", "run", "--since", since)
