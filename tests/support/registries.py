"""Fixtures: registries on both databases; `services_cases`, beside this file, makes events for them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mainstem.consumer import Received
from services.registry.database import open_registry
from services.registry.handler import apply


@pytest.fixture(params=["sqlite", "postgresql"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty registry on each database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'registry.db'}"
    else:
        url = request.getfixturevalue("postgres_url")
    engine = open_registry(url)
    yield engine
    engine.dispose()


@pytest.fixture
def small_registry(tmp_path: Path) -> Iterator[Engine]:
    """An empty registry on SQLite."""
    engine = open_registry(f"sqlite:///{tmp_path / 'registry.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def receive(registry: Engine) -> Callable[..., None]:
    """Hands events to the registry, in one transaction."""

    def send(*events: Received) -> None:
        with registry.begin() as connection:
            apply(connection, events)

    return send
