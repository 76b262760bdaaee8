"""docs/how-to/site-alone.md: the timer's units are whole by systemd's own check, and what they run is a command of ours."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from network_under_test import MAINSTEM, Network
from synthetic_children import RECORDS_A_CHILD, children, deliver

from mainstem.config.settings import Settings
from schemas.errors import ExitCode

UNITS = Path(__file__).parents[1] / "docker" / "systemd"
SERVICE = (UNITS / "mainstem@.service").read_text()


def started() -> str:
    """What the unit runs."""
    found = re.search(r"^ExecStart=/opt/mainstem/bin/mainstem (.+)$", SERVICE, re.MULTILINE)
    assert found is not None
    return found[1]


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    for name in ("mainstem@.service", "mainstem@.timer"):
        (tmp_path / name).write_text((UNITS / name).read_text().replace("/opt/mainstem/bin/mainstem", str(MAINSTEM)))
    done = subprocess.run(
        ["systemd-analyze", "verify", *sorted(str(path) for path in tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_ends_a_night_for_good_is_not_tried_again() -> None:
    """Gaps are a night that is done; only what may pass by itself is tried again."""
    kept = set(map(int, re.findall(r"\d+", re.findall(r"^RestartPreventExitStatus=(.+)$", SERVICE, re.MULTILINE)[0])))
    assert re.findall(r"^SuccessExitStatus=(.+)$", SERVICE, re.MULTILINE) == [str(ExitCode.ATTENTION.value)]
    assert {code.value for code in ExitCode} - kept == {
        ExitCode.DONE.value,
        ExitCode.ATTENTION.value,
        ExitCode.LATER.value,
        ExitCode.PIPE_CLOSED.value,
    }
    named = set(re.findall(r"(MAINSTEM_[A-Z_]+)=", SERVICE))
    assert named <= {f"MAINSTEM_{name.upper()}" for name in Settings.model_fields}


@pytest.mark.slow
def test_what_the_timer_starts_refreshes_the_site_by_its_name(lhn: Network, tmp_path: Path) -> None:
    """With the settings alone, in another folder."""
    deliver(children(1), tmp_path / "in")
    lhn.files_site("north", tmp_path / "in")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [MAINSTEM, *started().replace("%i", "north").split()],
        env={**lhn.environment, "MAINSTEM_SITES": str(lhn.folder)},
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert len(lhn.events()) == RECORDS_A_CHILD
