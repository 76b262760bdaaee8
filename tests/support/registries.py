"""Fixtures: registries on both databases; `services_cases`, beside this file, makes events for them."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from tables_kept import Kept, lent

from mainstem.consumer import Received
from services.registry.database import connect, open_registry
from services.registry.handler import apply


def _made(url: str) -> None:
    open_registry(url).dispose()


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SQLite file of a registry in which nothing stands; to be copied."""
    path = tmp_path_factory.mktemp("registry") / "registry.db"
    _made(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def spare_registries() -> list[Kept]:
    """Registries on PostgreSQL that a test has had."""
    return []


@pytest.fixture(params=["sqlite", "postgresql"])
def registry(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An empty registry on each database."""
    if request.param == "sqlite":
        yield request.getfixturevalue("small_registry")
        return
    with lent(request.getfixturevalue("postgres_server"), request.getfixturevalue("spare_registries"), _made) as url:
        engine = connect(url)
        yield engine
        engine.dispose()


@pytest.fixture
def small_registry(empty_registry: Path, tmp_path: Path) -> Iterator[Engine]:
    """An empty registry on SQLite."""
    shutil.copy(empty_registry, tmp_path)
    engine = connect(f"sqlite:///{tmp_path / empty_registry.name}")
    yield engine
    engine.dispose()


@pytest.fixture
def receive(registry: Engine) -> Callable[..., None]:
    """Hands events to the registry, in one transaction."""

    def send(*events: Received) -> None:
        with registry.begin() as connection:
            apply(connection, events)

    return send
