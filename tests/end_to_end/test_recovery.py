"""docs/how-to/recover.md, carried out: each drill's commands as they stand on the page, and what the network has afterwards."""

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from network_under_test import Network
from synthetic_children import RECORDS_A_CHILD, children, deliver

from mainstem.demo.embedded import Postgres
from mainstem.demo.embedded.postgres import _postgres_programs as programs
from mainstem.kafka.topics import administration
from mainstem.state import State
from mainstem.state.migrations.upgrade import upgrade
from schemas.events import outcome_topic

PAGE = Path(__file__).parents[2] / "docs/how-to/recover.md"
pytestmark = pytest.mark.slow


@pytest.fixture
def north(lhn: Network, tmp_path: Path) -> Network:
    """A site of a folder, loaded once."""
    deliver(children(2), tmp_path / "in")
    lhn.files_site("north", tmp_path / "in")
    assert lhn.mainstem("run", "north", MAINSTEM_SITES=str(lhn.folder)).returncode == 0
    return lhn


def commands_of(name: str) -> list[str]:
    """A drill's, as they stand on the page."""
    part = PAGE.read_text(encoding="utf-8").partition(f"<!-- {name} -->")[2]
    found = re.findall(r"^    (\w.+)$", re.split(r"\n## |<!-- ", part)[0], re.MULTILINE)
    assert found
    return found


def carry_out(lhn: Network, name: str) -> list[str]:
    """Carries one out; what each command said."""
    said = []
    for command in commands_of(name):
        words = [*command.split()[1:], *(["--partitions", "3"] if "topics create" in command else [])]
        done = lhn.mainstem(*words, MAINSTEM_SITES=str(lhn.folder))
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        said.append(done.stdout)
    return said


@pytest.fixture
def drill(lhn: Network) -> Callable[[str], list[str]]:
    """Carries one out in the test's network."""
    return partial(carry_out, lhn)


def state_of(network: Network) -> Path:
    """Its file."""
    return Path(network.settings.database_url.removeprefix("sqlite:///"))


def held(network: Network) -> dict[str, str]:
    """What a consumer holds: each record, by the last event of its key."""
    found: dict[str, str] = {}
    for event in network.events():
        found[event.headers["ce_subject"]] = event.operation
    return {name: operation for name, operation in found.items() if operation != "withdrawn"}


def test_upgrade(lhn: Network, drill: Callable[[str], list[str]], tmp_path: Path) -> None:
    """Tables of a version before; a second time it does nothing, and the night goes on with them."""
    deliver(children(2), tmp_path / "in")
    lhn.files_site("north", tmp_path / "in")
    store = State.open(lhn.settings.database_url)
    with store.database.write() as connection:
        upgrade(connection, store.database.name, "0012")
    store.close()
    first, again, _ = drill("upgrade")
    assert re.search(r"tables \d{4}, before 0012\n$", first)
    assert "before" not in again
    assert len(held(lhn)) == 2 * RECORDS_A_CHILD


def test_a_state_that_came_back_from_a_backup(
    north: Network, drill: Callable[[str], list[str]], tmp_path: Path
) -> None:
    with sqlite3.connect(state_of(north)) as source, sqlite3.connect(tmp_path / "copy.db") as copy:
        source.backup(copy)
    deliver(children(3), tmp_path / "in")
    assert north.mainstem("run", "north", MAINSTEM_SITES=str(north.folder)).returncode == 0
    assert len(held(north)) == 3 * RECORDS_A_CHILD
    for beside in ("-wal", "-shm"):
        state_of(north).with_name(state_of(north).name + beside).unlink(missing_ok=True)
    shutil.copyfile(tmp_path / "copy.db", state_of(north))
    refused = north.mainstem("run", "north", MAINSTEM_SITES=str(north.folder))
    assert (refused.returncode, "mainstem restore" in refused.stderr) == (78, True)
    drill("restored")
    assert len(held(north)) == 3 * RECORDS_A_CHILD


def test_a_state_on_postgresql_comes_back_from_its_dump(
    make_network: Any, broker: str, postgres_server: Postgres, network: str, tmp_path: Path
) -> None:
    """By PostgreSQL's own tools, as the page has them: what was told since the dump is read again, and nobody is lost."""
    lhn = make_network(broker, store=postgres_server.create_database(f"d_{abs(hash(network)):x}"))
    path = lhn.files_site("north", tmp_path / "in")
    for number, tools in ((2, "backup"), (3, "put back")):
        deliver(children(number), tmp_path / "in")
        assert lhn.mainstem("run", path).returncode == 0
        assert len(held(lhn)) == number * RECORDS_A_CHILD
        for command in commands_of(tools):
            by_shell(command, lhn)
    refused = lhn.mainstem("run", path)
    assert (refused.returncode, "mainstem restore" in refused.stderr) == (78, True)
    carry_out(lhn, "restored")
    assert len(held(lhn)) == 3 * RECORDS_A_CHILD


def by_shell(command: str, lhn: Network) -> None:
    """A command of the database's own tools, those of the server's version."""
    where = {"PATH": f"{programs()}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=lhn.folder,
        env={**lhn.environment, **where},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, (command, done.stderr)


def test_each_drill_of_the_page_is_carried_out() -> None:
    """Here, or in the tests of two versions and of a new EHR beside this file."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py"))
    named = re.findall(r'(?:drill|carry_out)\((?:lhn, )?"([\w ]+)"\)|<!-- (\w+) -->"|\(\d, "([\w ]+)"\)', text)
    carried_out = {name for names in named for name in names if name}
    assert set(re.findall(r"<!-- ([\w ]+) -->", PAGE.read_text(encoding="utf-8"))) == carried_out


def test_a_state_that_is_lost(north: Network, drill: Callable[[str], list[str]]) -> None:
    before = held(north)
    for path in state_of(north).parent.glob(f"{state_of(north).name}*"):
        path.unlink()
    refused = north.mainstem("run", "north", MAINSTEM_SITES=str(north.folder))
    assert (refused.returncode, "mainstem restore" in refused.stderr) == (78, True)
    drill("lost")
    assert held(north).keys() == before.keys()


def test_a_topic_that_is_lost(north: Network, drill: Callable[[str], list[str]]) -> None:
    before = held(north)
    with administration(north.settings.kafka_settings()) as admin:
        admin.delete_topics([outcome_topic(north.settings.network)])
    drill("topic")
    assert held(north) == before


def test_a_key_that_is_changed(north: Network, drill: Callable[[str], list[str]]) -> None:
    """The new one stands first; the old one is kept beside it."""
    north.site(
        "south",
        '[fhir]\nbase_url = "http://127.0.0.1:1/fhir"\n[fhir.auth]\nmethod = "smart-backend"\nclient_id = "c"\nprivate_key = "file:keys/south.jwks"\n',
    )
    assert north.mainstem("keys", "new", "south", MAINSTEM_SITES=str(north.folder)).returncode == 0
    made, shown = drill("key")
    assert made.count('"kid"') == 2
    assert shown.count('"kid"') == 2
