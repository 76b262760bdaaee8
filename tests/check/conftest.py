"""What the probes' tests share: a site checked at the clock that stands still, with one attempt and no pauses."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
import stamina

from connectors.pulling import Source
from mainstem.check import Finding, check_site
from schemas.sites import Site


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


@pytest.fixture
def findings(source_of: Callable[..., Source]) -> Callable[..., dict[str, Finding]]:
    """What `check_site` finds, by name; its key is long enough where nothing else is given."""

    def run(site: Site, transport: httpx2.BaseTransport | None = None, **given: Any) -> dict[str, Finding]:
        source = source_of(site, transport=transport, **{"secrets": lambda _: b"k" * 32, **given})
        return {finding.name: finding for finding in check_site(source)}

    return run
