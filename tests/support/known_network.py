"""Fixtures: the network whose truth is known, made once a run, by the first worker that asks for it."""

import fcntl
import os
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
    worker = tmp_path_factory.getbasetemp()
    folder = (worker.parent if "PYTEST_XDIST_WORKER" in os.environ else worker) / "known"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            _make(folder / "registry.db")
            (folder / "made").touch()
    return folder / "registry.db"


def _make(path: Path) -> None:
    path.unlink(missing_ok=True)
    engine = open_registry(f"sqlite:///{path}")
    assert len(list(feed(engine))) == 8
    engine.dispose()


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
