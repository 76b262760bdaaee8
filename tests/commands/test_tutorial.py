"""docs/tutorial.md: its screens are what a new user sees, played at a terminal of 80 columns. MAINSTEM_TUTORIAL=write renews them."""

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hospital_with_faults import Answered, FaultyHospital
from screens import sound_child
from scripted_terminal import played

from mainstem.demo.embedded import free_port

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
Play = Callable[..., str]


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder whose name is always as long: lines break where they did."""
    with TemporaryDirectory(prefix="mst-") as folder:
        yield Path(folder)


@pytest.fixture
def play(home: Path, broker: str, network: str) -> Play:
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

    def run(command: str, *answers: tuple[str, str], code: int = 0) -> str:
        ended, screen = played(command.split()[1:], answers, folder=home, environment=environment)
        assert ended == code, screen
        for own, shown in ((str(home), "~"), (network, "lhn"), (broker, "127.0.0.1:9092")):
            screen = screen.replace(own, shown)
        for pattern, shown in (
            (r"127\.0\.0\.1:(?!9092)\d+", "127.0.0.1:8080"),
            (r"\d{4}-\d\d-\d\d([T ])\d\d:\d\d:\d\d", r"2026-03-02\g<1>05:00:00"),
            (r"in \d+\.\d s", "in 1.0 s"),
            (r"[ \t]+\n", "\n"),
            (r"\n{3,}", "\n\n"),
        ):
            screen = re.sub(pattern, shown, screen)
        return f"$ {command}\n{screen.strip()}\n"

    return run


def same(name: str, screen: str) -> None:
    """The page has this screen; written there where it is asked for."""
    page = PAGE.read_text(encoding="utf-8")
    block = re.search(rf"<!-- {name} -->\n```\n(.*?)```\n", page, re.DOTALL)
    assert block is not None, f"docs/tutorial.md has no place for {name}"
    if os.environ.get("MAINSTEM_TUTORIAL") == "write":
        PAGE.write_text(page[: block.start(1)] + screen + page[block.end(1) :], encoding="utf-8")
        return
    assert block[1] == screen


def test_from_a_folder_to_events(play: Play, home: Path) -> None:
    """Five commands, from nothing."""
    (home / "export").mkdir()
    for resource in sound_child():
        with (home / "export" / f"{resource['resourceType']}.ndjson").open("a") as file:
            file.write(json.dumps(resource) + "\n")
    wizard = play(
        "mainstem sites new",
        ("Short name", "north"),
        ("hospital's name", "North General"),
        ("Address of its", "export"),
        ("time zone [", "New York"),
        ("time zone [", "America/New_York"),
    )
    same("wizard", wizard)
    same("check", play("mainstem check north"))
    same("topics", play("mainstem topics create --replication 1"))
    ran = play("mainstem run north")
    assert "3 events published" in ran or "events published" in ran
    assert "completed" in ran
    assert "observation" in play("mainstem tail --from-beginning --no-follow")
    assert "ok" in play("mainstem status")


def test_mistakes_on_the_way_are_recovered_by_what_the_screen_says(
    play: Play, faulty: FaultyHospital, home: Path
) -> None:
    """A dead server, a wrong address, a wrong secret, no rights, nothing in the Group."""
    faulty.put(*sound_child())
    play("mainstem sites new east --base-url " + faulty.base_url)
    path = home / "sites" / "east.toml"
    good = path.read_text().replace(
        "[fhir]", 'types = ["Patient", "Condition", "Observation"]\nroad = "search"\n[fhir]'
    )
    path.write_text(good.replace(faulty.base_url, f"http://127.0.0.1:{free_port()}/fhir"))
    same("dead-server", play("mainstem check east", code=75))
    faulty.faults.append(
        lambda asked: Answered({"resourceType": "OperationOutcome"}, 404) if "wrong" in asked.path else None
    )
    path.write_text(good.replace("/fhir", "/wrong").replace('road = "search"', 'road = "auto"'))
    same("wrong-address", play("mainstem check east", code=78))
    auth = f'[fhir.auth]\nmethod = "client-credentials"\nclient_id = "mainstem"\nsecret = "env:SECRET_OF_EAST"\ntoken_url = "{faulty.base_url}/token"\n'
    faulty.faults.append(lambda asked: Answered({"error": "invalid_client"}, 401) if asked.path == "token" else None)
    path.write_text(good + auth)
    same("wrong-secret", play("mainstem check east", code=78))
    path.write_text(good)
    faulty.faults.append(
        lambda asked: Answered({"resourceType": "OperationOutcome"}, 403) if asked.path in faulty.resources else None
    )
    same("no-rights", play("mainstem check east", code=78))
    faulty.faults.clear()
    for found in faulty.resources.values():
        found.clear()
    same("nothing-there", play("mainstem check east", code=78))
