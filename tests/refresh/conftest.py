"""Steps of one site on a SQLite state; nothing here needs a broker."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mainstem.config.settings import Settings
from mainstem.demo.embedded import free_port
from mainstem.refresh import Refresh, open_refresh

KEY = "0123456789abcdef0123456789abcdef"
HEAD = 'site = "west"\nname = "West"\ntime_zone = "UTC"\nsubject_key = "file:key"\n'
FILES = '[files]\nfolder = "delivery"\nsettle_seconds = 0\n'


@pytest.fixture
def make_refresh(tmp_path: Path) -> Iterator[Callable[..., Refresh]]:
    """`make_refresh(source, kafka=…, **values)`: a site with that source, its state in the test's folder, no broker unless given."""
    with ExitStack() as stack:

        def make(source: str = FILES, *, kafka: str = "", derive: str = "none", **values: Any) -> Refresh:
            (tmp_path / "key").write_text(KEY)
            (tmp_path / "delivery").mkdir(exist_ok=True)
            path = tmp_path / "west.toml"
            path.write_text(HEAD + "".join(f"{key} = {value!r}\n" for key, value in values.items()) + source)
            settings = Settings(
                kafka=kafka or f"127.0.0.1:{free_port()}",
                database_url=f"sqlite:///{tmp_path / 'state.db'}",
                landing=tmp_path / "landing",
                derive=derive,
            )
            return stack.enter_context(open_refresh(path, settings))

        yield make
