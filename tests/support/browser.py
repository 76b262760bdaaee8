"""A real browser for the pages, and axe-core in it; skipped with its reason where one is not there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
AXE = Path(__file__).parents[2] / "var" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
"""WCAG 2.2 AA, and what axe holds to be good besides."""


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium."""
    _demand(CHROMIUM is not None, "MAINSTEM_REQUIRE_BROWSER", "no Chromium: `make browser` installs it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


def violations(tab: Any) -> list[tuple[str, list[str]]]:
    """What axe finds: each rule that is broken, and where."""
    _demand(AXE.exists(), "MAINSTEM_REQUIRE_AXE", "no axe-core: `make axe` fetches it")
    if not tab.evaluate("typeof window.axe === 'object'"):
        tab.evaluate(AXE.read_text("utf-8"))
    found = tab.evaluate("rules => axe.run(document, {runOnly: rules}).then(found => found.violations)", RULES)
    return [(each["id"], [node["html"][:120] for node in each["nodes"]]) for each in found]


def _demand(there: bool, setting: str, reason: str) -> None:
    if not there:
        pytest.fail(reason) if os.environ.get(setting) == "1" else pytest.skip(reason)
