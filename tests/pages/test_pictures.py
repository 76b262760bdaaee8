"""Pictures of the known network for README and docs: the pages as a browser draws them. `make pictures` keeps them in docs/."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import browser
from pages_served import serving
from sqlalchemy import Engine
from viewers import gate_for

from mainstem.demo.known import AS_OF
from services.access.viewers import Role
from services.pages.app import make_app

PICTURES = (
    ("feedback", "/measures/ibd1", 1280, 1120, True),
    ("site", "/sites/birchwood/ibd1", 1280, 1400, False),
    ("phone", "/sites/quarry/ibd1", 390, 1100, True),
)
"""Name, page, width, height, and whether scripts run."""


@pytest.fixture
def address(known_copy: Engine, tmp_path: Path) -> Iterator[str]:
    """The pages of the known network, served to its coordinator."""
    gate = gate_for(tmp_path, Role.COORDINATOR)
    app = make_app(known_copy, network="Riverbend", gate=gate, clock=lambda: AS_OF, per_minute=10_000)
    with serving(app) as address:
        yield address


@pytest.mark.browser
@pytest.mark.large
def test_pages_are_drawn_whole_at_every_width(address: str, tmp_path: Path) -> None:
    """Nothing wider than the screen; each chart is there, with scripts drawn, without them as a picture."""
    folder = Path(os.environ.get("MAINSTEM_SCREENSHOTS") or tmp_path)
    with browser() as opened:
        for name, path, width, height, scripts in PICTURES:
            tab = opened.new_context(
                viewport={"width": width, "height": height}, java_script_enabled=scripts
            ).new_page()
            tab.goto(address + path, timeout=300_000)
            shown = "figure[data-state=drawn] .drawing svg" if scripts else "figure.chart > img"
            tab.wait_for_selector(shown, timeout=120_000)
            assert tab.locator(shown).count() >= 1
            if scripts:
                assert tab.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, path
            tab.screenshot(path=folder / f"{name}.png")
