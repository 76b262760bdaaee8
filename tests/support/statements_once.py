"""What SQLAlchemy compiles of a statement is kept for the process, not for an engine: each test has an engine of its own."""

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.util import LRUCache

MOST = 5_000
KEPT: MutableMapping[Any, Any] = LRUCache(MOST)
"""By what SQLAlchemy keeps a statement by, its dialect told by what a statement's text depends on."""


class OfTheProcess(MutableMapping[Any, Any]):
    """An engine's kept statements: those of every engine of its kind."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def _key(self, key: Any) -> Any:
        of = self._dialect
        kind = (type(of), of.server_version_info, of.paramstyle, of._json_serializer, of._json_deserializer)
        return (kind, *key[1:])

    def __getitem__(self, key: Any) -> Any:
        return KEPT[self._key(key)]

    def __setitem__(self, key: Any, value: Any) -> None:
        KEPT[self._key(key)] = value

    def __delitem__(self, key: Any) -> None:
        del KEPT[self._key(key)]

    def __iter__(self) -> Iterator[Any]:
        return iter(KEPT)

    def __len__(self) -> int:
        return len(KEPT)


def _kept(engine: Engine) -> "OfTheProcess | None":
    found: OfTheProcess | None = engine.__dict__["kept"]
    return found


def _keep(engine: Engine, kept: object) -> None:
    engine.__dict__["kept"] = None if kept is None else OfTheProcess(engine.dialect)


@pytest.fixture(scope="session", autouse=True)
def statements_once() -> Iterator[None]:
    """For every test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "_compiled_cache", property(_kept, _keep), raising=False)
        yield
