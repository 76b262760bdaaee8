"""The compose file and the image name things that exist; that they run is not tested here (no container engine)."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from mainstem.commands import app
from mainstem.config.settings import Settings

REPOSITORY = Path(__file__).parents[1]
COMPOSE = yaml.safe_load((REPOSITORY / "docker" / "compose.yaml").read_text())


def test_every_variable_of_the_compose_file_is_a_setting() -> None:
    """A misspelt variable would be ignored in silence."""
    known = {f"MAINSTEM_{name.upper()}" for name in Settings.model_fields}
    named = {name for service in COMPOSE["services"].values() for name in service.get("environment", {})}
    assert {name for name in named if name.startswith("MAINSTEM_")} <= known


def test_every_command_of_the_compose_file_exists() -> None:
    """`registry run`, `topics create` … are commands of ours."""
    for service in COMPOSE["services"].values():
        if service.get("image") == "mainstem" and "entrypoint" not in service:
            command = get_command(app)
            for word in service["command"]:
                if word.startswith("-"):
                    break
                commands = getattr(command, "commands", {})
                if not commands:
                    break
                assert word in commands, service["command"]
                command = commands[word]


def test_what_the_image_copies_is_there() -> None:
    """COPY of a file that was renamed fails only in the build."""
    copied = re.findall(
        r"^COPY (?!--from)(.+)$", (REPOSITORY / "docker" / "Dockerfile").read_text(), flags=re.MULTILINE
    )
    names = [name for line in copied for name in line.split()[:-1]]
    assert names
    assert [name for name in names if not (REPOSITORY / name).exists()] == []


def test_every_setting_of_airflow_that_is_named_is_one_of_its_own() -> None:
    """In the image, the compose file and the page on nights: a misspelt one would be ignored in silence, too."""
    airflow = find_spec("airflow")
    if airflow is None or not airflow.submodule_search_locations:
        pytest.skip("Airflow is not installed")
    options = yaml.safe_load((Path(airflow.submodule_search_locations[0]) / "config_templates/config.yml").read_text())
    known = {f"{section}__{name}".upper() for section, each in options.items() for name in each["options"]}
    texts = [REPOSITORY / name for name in ("docker/Dockerfile", "docker/compose.yaml", "docs/how-to/night.md")]
    named = {each for path in texts for each in re.findall(r"AIRFLOW__(\w+)", path.read_text())}
    assert {"CORE__PARALLELISM", "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL"} <= named
    assert named - known == set()


def test_what_the_page_on_nights_says_of_the_image_is_how_the_image_is_set() -> None:
    """A scheduler, too, that looks at few runs in a round: at all that are at work is most of what it does."""
    page = (
        (REPOSITORY / "docs/how-to/night.md")
        .read_text()
        .partition("Our image sets these")[2]
        .partition("The first:")[0]
    )
    image = (REPOSITORY / "docker/Dockerfile").read_text()
    said = dict(re.findall(r"^    (AIRFLOW__\w+)=(\S+)$", page, re.MULTILINE))
    assert said.items() <= dict(re.findall(r"(AIRFLOW__\w+)=(\S+)", image)).items()
    assert int(said["AIRFLOW__SCHEDULER__MAX_DAGRUNS_PER_LOOP_TO_SCHEDULE"]) < 20  # Airflow's own


def images() -> list[str]:
    """What is pulled from a registry: FROM of the Dockerfiles, with their arguments filled in, and `image:` of the compose file."""
    found = [service["image"] for service in COMPOSE["services"].values() if service["image"] != "mainstem"]
    for file in (REPOSITORY / "docker").glob("**/Dockerfile*"):
        text = file.read_text()
        given = dict(re.findall(r"^ARG (\w+)=(\S+)", text, flags=re.MULTILINE))
        stages = re.findall(r"^FROM \S+ AS (\w+)", text, flags=re.MULTILINE)
        named = re.findall(r"^FROM (?:--\S+ )*(\S+)", text, flags=re.MULTILINE)
        found += [given.get(each.strip("${}"), each) for each in named if each not in stages]
        found += re.findall(r"^COPY --from=(\S*[/:]\S*) ", text, flags=re.MULTILINE)
    return found


def test_every_image_is_pinned_by_a_full_version_and_a_digest() -> None:
    """A tag moves; the digest decides what is pulled. The version stands for people, and for what renews both."""
    pinned = re.compile(r"[a-z0-9./-]+:\d+\.\d+(\.\d+)?(-[a-z-]+)?@sha256:[0-9a-f]{64}")
    assert len(images()) == 4
    assert [image for image in images() if not pinned.fullmatch(image)] == []


def test_the_broker_of_the_compose_file_is_of_the_major_that_the_tests_run_and_no_newer() -> None:
    """The newest image whose digest is known may be a release behind what the tests fetch; never ahead of what was tried."""
    tested = re.search(r"<kafka.version>(.+)</kafka.version>", (REPOSITORY / "docker/kafka/pom.xml").read_text())
    assert tested is not None
    named, _, version = COMPOSE["services"]["kafka"]["image"].partition("@")[0].partition(":")
    composed, run = (tuple(map(int, each.split("."))) for each in (version, tested[1]))
    assert named == "apache/kafka"
    assert composed[0] == run[0]
    assert composed <= run
