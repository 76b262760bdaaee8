"""Fixtures: the network whose truth is known, made once a run."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mainstem.demo.known import feed
from services.registry.database import connect, open_registry


@pytest.fixture(scope="session")
def known_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The registry's SQLite file; to be read only."""
    path = tmp_path_factory.mktemp("known") / "registry.db"
    engine = open_registry(f"sqlite:///{path}")
    assert len(list(feed(engine))) == 8
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def known_network(known_file: Path) -> Iterator[Engine]:
    """The registry of the known network; to be read only."""
    engine = connect(f"sqlite:///{known_file}")
    yield engine
    engine.dispose()


@pytest.fixture
def known_copy(known_file: Path, tmp_path: Path) -> Iterator[Engine]:
    """A copy of it that a test may write to."""
    shutil.copyfile(known_file, tmp_path / "known.db")
    engine = connect(f"sqlite:///{tmp_path / 'known.db'}")
    yield engine
    engine.dispose()
