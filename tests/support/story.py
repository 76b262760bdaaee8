"""Fixtures: the story's network (`services_story`) in a registry of a test's own, put there once a process, and counted once."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from services_story import fill, load_events, population
from sqlalchemy import Engine, func, select

from services.pages.counted import Memory, state_of
from services.pages.site import PageSite
from services.registry.database import connect, open_registry
from services.registry.tables import history


@pytest.fixture(scope="session")
def story_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The registry's SQLite file; to be copied."""
    path = tmp_path_factory.mktemp("story") / "registry.db"
    engine = open_registry(f"sqlite:///{path}")
    fill(engine, population(), load_events())
    engine.dispose()
    return path


@pytest.fixture
def story(story_file: Path, tmp_path: Path) -> Iterator[Engine]:
    """The registry; a test may write to it."""
    shutil.copyfile(story_file, tmp_path / "story.db")
    engine = connect(f"sqlite:///{tmp_path / 'story.db'}")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def story_memory() -> Memory:
    """What pages counted of the story."""
    return Memory()


@pytest.fixture
def counted_story(story: Engine, story_memory: Memory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The registry; its pages know what others' counted of it before anything more came. All roles see one server's counts anyway."""
    untouched = _state(story)
    known = story_memory._kept
    memory = Memory({key: replace(kept, at=time.monotonic()) for key, kept in known.items()})
    monkeypatch.setattr("services.pages.app.PageSite", partial(PageSite, memory=memory))
    yield story
    known.update({key: kept for key, kept in memory._kept.items() if (kept.state, kept.arrived) == untouched})


def _state(engine: Engine) -> tuple[object, datetime | None]:
    with engine.connect() as connection:
        return state_of(connection), connection.scalar(select(func.max(history.c.arrived)))
