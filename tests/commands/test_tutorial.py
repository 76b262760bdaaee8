"""docs/tutorial.md: its screens are what a new user sees, played at a terminal of 80 columns. MAINSTEM_TUTORIAL=write renews them."""

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from full_disk import FullDisk, mounted, refused
from hospital_with_faults import Answered, Asked, Fault, FaultyHospital
from screens import sound_child
from scripted_terminal import played

from mainstem.demo.embedded import Hospital, free_port

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder whose name is always as long: lines break where they did."""
    with TemporaryDirectory(prefix="mst-") as folder:
        yield Path(folder)


@dataclass
class Player:
    """A new machine, at whose terminal commands are typed."""

    home: Path
    broker: str
    network: str
    environment: dict[str, str]

    def __call__(self, command: str, *answers: tuple[str, str], code: int = 0) -> str:
        """What stands on the screen, the machine's own names taken out."""
        ended, screen = played(shlex.split(command)[1:], answers, folder=self.home, environment=self.environment)
        assert ended == code, screen
        shown = f"$ {command}\n{screen.strip()}\n"
        for own, name in ((str(self.home), "~"), (self.network, "lhn"), (self.broker, "127.0.0.1:9092")):
            shown = shown.replace(own, name)
        for pattern, name in VARYING:
            shown = re.sub(pattern, name, shown)
        return shown


VARYING = (
    (r"127\.0\.0\.1:(?!9092)\d+", "127.0.0.1:8061"),
    (r"\d{4}-\d\d-\d\d([T ])\d\d:\d\d:\d\d", r"2026-03-02\g<1>05:00:00"),
    (r"\d{4}-\d\d-\d\dT\d{6}Z", "2026-03-02T050000Z"),
    (r"in \d+\.\d s", "in 1.0 s"),
    (r"[ \t]+\n", "\n"),
    (r"\n{3,}", "\n\n"),
)


@pytest.fixture
def play(home: Path, broker: str, network: str) -> Player:
    """A command on a new machine: what stands on the screen, the machine's own names taken out."""
    ours = {
        "MAINSTEM_DATABASE_URL": f"sqlite:///{home}/var/mainstem.db",
        "MAINSTEM_KAFKA": broker,
        "MAINSTEM_NETWORK": network,
        "NO_COLOR": "1",
        "TZ": "America/Chicago",
        "SECRET_OF_EAST": "wrong",
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAINSTEM_")} | ours
    return Player(home, broker, network, environment)


def same(name: str, screen: str) -> None:
    """The page has this screen; written there where it is asked for."""
    page = PAGE.read_text(encoding="utf-8")
    block = re.search(rf"<!-- {name} -->\n```\n(.*?)```\n", page, re.DOTALL)
    assert block is not None, f"docs/tutorial.md has no place for {name}"
    if os.environ.get("MAINSTEM_TUTORIAL") == "write":
        PAGE.write_text(page[: block.start(1)] + screen + page[block.end(1) :], encoding="utf-8")
        return
    assert block[1] == screen


@pytest.mark.slow
def test_from_a_folder_to_events(play: Player, home: Path) -> None:
    """From nothing."""
    write_delivery(home / "export", sound_child())
    wizard = play(
        "mainstem sites new",
        ("Short name", "north"),
        ("hospital's name", "North General"),
        ("Address of its", "export"),
        ("time zone [", "New York"),
        ("time zone [", "America/New_York"),
        ("Whose data", ""),
    )
    same("wizard", wizard)
    same("check", play("mainstem check north"))
    same("topics", play("mainstem topics create --replication 1"))
    same("run", play("mainstem run north"))
    assert "observation" in play("mainstem tail --from-beginning --no-follow")
    assert "ok" in play("mainstem status")


@pytest.mark.slow
def test_from_a_fhir_server_to_events(play: Player, home: Path, hospital: Callable[..., Hospital]) -> None:
    """The demo's kind of server, which lets in whoever signs with its client's key."""
    server = hospital(sound_child(), name="lakeside", smart=True)
    key = home / "var/demo/sites/keys/lakeside.pem"
    key.parent.mkdir(parents=True)
    assert server.client is not None
    shutil.copyfile(server.client.private_key, key)
    key.chmod(0o600)
    log_in = "--client-id mainstem --private-key var/demo/sites/keys/lakeside.pem --scope 'system/*.read'"
    same("fhir-new", play(f"mainstem sites new lake --base-url {server.base_url} {log_in}"))
    same("fhir-check", play("mainstem check lake"))
    play("mainstem topics create --replication 1")
    same("fhir-run", play("mainstem run lake"))
    assert "observation" in play("mainstem tail --from-beginning --no-follow")


def write_delivery(folder: Path, resources: list[dict[str, Any]]) -> None:
    """A file a type."""
    folder.mkdir()
    for resource in resources:
        with (folder / f"{resource['resourceType']}.ndjson").open("a") as file:
            file.write(json.dumps(resource) + "\n")


@dataclass
class East:
    """A site of one server, its file as it should be, and what is done to both."""

    play: Player
    faulty: FaultyHospital
    path: Path
    good: str

    def mistaken(self, name: str, text: str = "", *, code: int = 78, fault: Fault | None = None) -> None:
        """What the page shows of it; with what the screen says done, all is well."""
        self.path.write_text(text or self.good)
        self.faulty.faults[:] = [fault] if fault else []
        same(name, self.play("mainstem check east", code=code))
        self.faulty.faults.clear()
        self.path.write_text(self.good)
        self.play("mainstem check east")


@pytest.fixture
def east(play: Player, faulty: FaultyHospital, home: Path) -> East:
    """It is read of three types."""
    faulty.put(*sound_child())
    play("mainstem sites new east --time-zone America/New_York --base-url " + faulty.base_url)
    path = home / "sites/east.toml"
    types = 'types = ["Patient", "Condition", "Observation"]\nroad = "auto"\n[fhir]'
    return East(play, faulty, path, path.read_text().replace("[fhir]", types))


def answering(path: str, body: Any, status: int) -> Fault:
    """A fault of one place of the server."""
    return lambda asked: Answered(body, status) if path in asked.path else None


@pytest.mark.slow
def test_a_server_that_cannot_be_reached_or_is_another(east: East) -> None:
    dead = east.good.replace(east.faulty.base_url, f"http://127.0.0.1:{free_port()}/fhir")
    east.mistaken("dead-server", dead, code=75)
    nothing = answering("wrong", {"resourceType": "OperationOutcome"}, 404)
    east.mistaken("wrong-address", east.good.replace("/fhir", "/wrong"), fault=nothing)


@pytest.mark.slow
def test_a_secret_that_is_wrong_and_rights_that_are_missing(east: East) -> None:
    auth = (
        '[fhir.auth]\nmethod = "client-credentials"\nclient_id = "mainstem"\nsecret = "env:SECRET_OF_EAST"\n'
        f'token_url = "{east.faulty.base_url}/token"\n'
    )
    east.mistaken("wrong-secret", east.good + auth, fault=answering("token", {"error": "invalid_client"}, 401))

    def refuse(asked: Asked) -> Answered | None:
        return Answered({"resourceType": "OperationOutcome"}, 403) if asked.path in east.faulty.resources else None

    east.mistaken("no-rights", fault=refuse)


@pytest.mark.slow
def test_a_group_of_nobody_and_a_server_of_nothing(east: East) -> None:
    grouped = east.good.replace("[fhir]", '[fhir]\ngroup = "cf"')
    empty = answering("Group/cf", {"resourceType": "Group", "id": "cf", "member": []}, 200)
    east.mistaken("empty-group", grouped, fault=empty)

    def hide(asked: Asked) -> Answered | None:
        page = {"resourceType": "Bundle", "type": "searchset", "total": 0}
        return Answered(page) if asked.path in east.faulty.resources else None

    east.mistaken("nothing-there", fault=hide)


@pytest.mark.slow
def test_a_time_zone_that_is_anothers(east: East) -> None:
    for number in range(4):
        east.faulty.put({**sound_child()[2], "id": f"o{number}", "effectiveDateTime": "2026-03-01T10:30:00-05:00"})
    east.mistaken("wrong-zone", east.good.replace("America/New_York", "America/Los_Angeles"), code=3)


@pytest.mark.slow
@pytest.mark.parametrize("full", [mounted, refused], ids=["mounted", "played"])
@pytest.mark.parametrize(
    ("name", "setting"), [("full-disk", "MAINSTEM_LANDING"), ("full-state", "MAINSTEM_DATABASE_URL")]
)
def test_a_disk_that_is_full(play: Player, home: Path, name: str, setting: str, full: FullDisk) -> None:
    """Room is made, the same command goes on."""
    write_delivery(home / "export", sound_child())
    play("mainstem sites new north --folder export")
    play("mainstem topics create --replication 1")
    with full(home / "disk", play.environment) as make_room:
        play.environment[setting] = "disk/landing" if name == "full-disk" else f"sqlite:///{home}/disk/mainstem.db"
        same(name, play("mainstem run north", code=78))
        make_room()
        assert "events published, completed" in play("mainstem run north")


def test_each_road_takes_six_commands_at_most() -> None:
    """Those of the page, with the one that makes the network."""
    page = PAGE.read_text(encoding="utf-8")
    for road in ("From a folder of NDJSON files", "From a FHIR server"):
        part = page.partition(f"## {road}\n")[2].partition("\n## ")[0]
        commands = set(re.findall(r"^\$ (.+)$|^\d\. `(mainstem [^`]+|make [^`]+)`", part, re.MULTILINE))
        assert 5 <= len(commands) <= 6, commands
