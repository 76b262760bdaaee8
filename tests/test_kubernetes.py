"""What is written for Kubernetes names things that exist, and is what its API takes; that it runs is not tested here (no cluster)."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from mainstem.commands import app
from mainstem.config.settings import Settings

REPOSITORY = Path(__file__).parents[1]
FILES = sorted((REPOSITORY / "docker" / "kubernetes").glob("*.yaml"))
SCHEMAS = REPOSITORY / "var" / "kubernetes"
"""`make kubernetes` fetches them."""


def documents() -> Iterator[dict[str, Any]]:
    for path in FILES:
        yield from yaml.safe_load_all(path.read_text())


def containers() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(pod, container) of each."""
    for each in documents():
        spec = each["spec"]["jobTemplate"]["spec"] if each["kind"] == "CronJob" else each.get("spec", {})
        pod = spec.get("template", {}).get("spec")
        yield from ((pod, container) for container in (pod or {}).get("containers", ()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_file_is_what_the_api_takes(path: Path) -> None:
    """By the API's own schemas, strictly: a key of no meaning is a fault."""
    if not SCHEMAS.is_dir():
        pytest.skip("no schemas of Kubernetes: `make kubernetes` fetches them")
    done = subprocess.run(
        [sys.executable, "-m", "kubernetes_validate", "--strict", "-k", "1.35", str(path)],
        env={**os.environ, "PYTHONPATH": str(SCHEMAS)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout + done.stderr


def test_every_command_exists_and_every_variable_is_a_setting() -> None:
    known = {f"MAINSTEM_{name.upper()}" for name in Settings.model_fields}
    named = {name for each in documents() if each["kind"] == "ConfigMap" for name in each["data"]}
    for _, container in containers():
        named |= {each["name"] for each in container.get("env", ())}
        command: Any = get_command(app)
        for word in container["args"]:
            if word.startswith("-") or not (commands := getattr(command, "commands", {})):
                break
            assert word in commands, container["args"]
            command = commands[word]
    assert named <= known


def test_no_container_has_more_rights_than_it_needs() -> None:
    """As the compose file: a user of its own, nothing written but where a volume is, no token of the cluster."""
    found = list(containers())
    assert len(found) == 5
    for pod, container in found:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["image"] == "mainstem"
        held = container["securityContext"]
        assert (held["allowPrivilegeEscalation"], held["readOnlyRootFilesystem"]) == (False, True)
        assert held["capabilities"] == {"drop": ["ALL"]}
        mounted = {each["name"] for each in container["volumeMounts"]}
        assert mounted == {each["name"] for each in pod["volumes"]}
