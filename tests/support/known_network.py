"""Fixtures: the network whose truth is known, and three sites of it; each made once a run, by the first worker that asks for it."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mainstem.demo.known import KNOWN, feed
from mainstem.demo.known.truth import Known
from services.registry.database import connect, open_registry


@pytest.fixture(scope="session")
def known_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The registry's SQLite file; to be read only."""
    return _once(tmp_path_factory, "known", KNOWN)


@pytest.fixture(scope="session")
def three_known_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of three sites: one that improved, one without a signal, one whose feed broke; soon made."""
    sites = ("birchwood", "cedar-hill", "quarry")
    return _once(tmp_path_factory, "three", replace(KNOWN, sites=tuple(s for s in KNOWN.sites if s.id in sites)))


def _once(tmp_path_factory: pytest.TempPathFactory, name: str, known: Known) -> Path:
    worker = tmp_path_factory.getbasetemp()
    folder = (worker.parent if "PYTEST_XDIST_WORKER" in os.environ else worker) / name
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            _make(folder / "registry.db", known)
            (folder / "made").touch()
    return folder / "registry.db"


def _make(path: Path, known: Known) -> None:
    path.unlink(missing_ok=True)
    engine = open_registry(f"sqlite:///{path}")
    assert len(list(feed(engine, known))) == len(known.sites)
    engine.dispose()


@pytest.fixture(scope="session")
def known_network(known_file: Path) -> Iterator[Engine]:
    """The registry of the known network; to be read only."""
    engine = connect(f"sqlite:///{known_file}")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def three_known(three_known_file: Path) -> Iterator[Engine]:
    """The registry of its three sites; to be read only."""
    engine = connect(f"sqlite:///{three_known_file}")
    yield engine
    engine.dispose()


@pytest.fixture
def known_copy(known_file: Path, tmp_path: Path) -> Iterator[Engine]:
    """A copy of it that a test may write to."""
    shutil.copyfile(known_file, tmp_path / "known.db")
    engine = connect(f"sqlite:///{tmp_path / 'known.db'}")
    yield engine
    engine.dispose()
