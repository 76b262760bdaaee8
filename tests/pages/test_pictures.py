"""Pictures of the known network for README and docs: the pages as a browser draws them. `make pictures` keeps them in docs/."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from sqlalchemy import Engine
from viewers import gate_for

from mainstem.demo.known import AS_OF
from services.access.viewers import Role
from services.pages.app import make_app

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
PICTURES = (
    ("feedback", "/measures/ibd1", 1280, 1120, True),
    ("site", "/sites/birchwood/ibd1", 1280, 1400, False),
    ("phone", "/sites/quarry/ibd1", 390, 1100, True),
)
"""Name, page, width, height, and whether scripts run."""


@pytest.fixture
def address(known_copy: Engine, tmp_path: Path) -> Iterator[str]:
    """The pages of the known network, served to its coordinator."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    gate = gate_for(tmp_path, Role.COORDINATOR)
    app = make_app(known_copy, network="Riverbend", gate=gate, clock=lambda: AS_OF, per_minute=10_000)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(timeout=10)


@pytest.mark.browser
@pytest.mark.large
def test_pages_are_drawn_whole_at_every_width(address: str, tmp_path: Path) -> None:
    """Nothing wider than the screen; each chart is there, with scripts drawn, without them as a picture."""
    if CHROMIUM is None:
        pytest.skip("no Chromium: `make browser` installs it")
    from playwright.sync_api import sync_playwright

    folder = Path(os.environ.get("MAINSTEM_SCREENSHOTS") or tmp_path)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        for name, path, width, height, scripts in PICTURES:
            tab = browser.new_context(
                viewport={"width": width, "height": height}, java_script_enabled=scripts
            ).new_page()
            tab.goto(address + path, timeout=300_000)
            shown = "figure[data-state=drawn] .drawing svg" if scripts else "figure.chart > img"
            tab.wait_for_selector(shown, timeout=120_000)
            assert tab.locator(shown).count() >= 1
            if scripts:
                assert tab.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, path
            tab.screenshot(path=folder / f"{name}.png")
        browser.close()
