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
    """`make_refresh(source, kafka=…, **values)`: a site with that source, its state in the test's folder (or one below), no broker unless given."""
    with ExitStack() as stack:

        def make(
            source: str = FILES,
            *,
            kafka: str = "",
            derive: str = "none",
            folder: str = "",
            url: str = "",
            **values: Any,
        ) -> Refresh:
            home = tmp_path / folder
            (home / "delivery").mkdir(exist_ok=True, parents=True)
            (home / "key").write_text(KEY)
            path = home / "west.toml"
            path.write_text(HEAD + "".join(f"{key} = {value!r}\n" for key, value in values.items()) + source)
            settings = Settings(
                kafka=kafka or f"127.0.0.1:{free_port()}",
                database_url=url or f"sqlite:///{home / 'state.db'}",
                landing=home / "landing",
                derive=derive,
            )
            return stack.enter_context(open_refresh(path, settings))

        yield make
