"""The compose file and the image name things that exist; that they run is not tested here (no container engine)."""

import re
from pathlib import Path

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
