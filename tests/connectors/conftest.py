"""What the connectors' tests share: a landing, and pulling into it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stamina

from connectors.formats.ndjson import read_lines
from connectors.landing import Landing
from connectors.pulling import Source, Wanted, pull
from schemas.sites import Site


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    """Three attempts, without pauses between them."""
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    folder = Landing(tmp_path / "landing")
    folder.open()
    return folder


@pytest.fixture
def pull_unit(landing: Landing, source_of: Callable[..., Source]) -> Callable[..., Any]:
    """`pull` into the test's landing; what is given goes to the source, or says what is wanted."""

    def run(site: Site, unit: str, **given: Any) -> Any:
        wanted = {name: given.pop(name) for name in ("since", "until", "progress") if name in given}
        return pull(source_of(site, **given), Wanted(unit=unit, landing=landing, **wanted))

    return run


@pytest.fixture
def ids(landing: Landing) -> Callable[[str], list[str]]:
    """Ids of the type's landed resources, in order."""

    def read(resource_type: str) -> list[str]:
        lines = (line for path in landing.files(resource_type) for line in read_lines(path, cap=1 << 26))
        return [json.loads(line)["id"] for line in lines]  # type: ignore[arg-type]  # a Problem fails the test, rightly

    return read
