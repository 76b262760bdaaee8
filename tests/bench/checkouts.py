"""What is measured: this checkout, and beside it an older one, whose commands run from its own files in the same environment."""

import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from measuring import Ran, measure

HERE = Path(__file__).parents[2]
MAPPED = "from transforms.resources import mappings; print(*mappings())"
COLLECTING = "import gc; gc.set_threshold(20_000)\n"  # as in all processes of ours: mainstem.config.collecting
LAUNCH = "import sys; from {module} import {function} as run; sys.argv[0] = 'mainstem'; sys.exit(run())"


@dataclass(frozen=True)
class Checkout:
    """A folder with Mainstem's source."""

    name: str
    folder: Path

    @cached_property
    def command(self) -> list[str]:
        """`mainstem` of this checkout."""
        project = tomllib.loads((self.folder / "pyproject.toml").read_text())["project"]
        module, function = project["scripts"]["mainstem"].split(":")
        return [sys.executable, "-P", "-c", LAUNCH.format(module=module, function=function)]

    def mainstem(self, *arguments: object, core: int | None = None, **environment: str) -> Ran:
        """The command, measured."""
        return measure([*self.command, *arguments], core=core, env=self.environment | environment)

    def python(self, script: str, *arguments: Any, **environment: str) -> Ran:
        """A script that imports this checkout's packages, measured."""
        return measure(
            [sys.executable, "-P", "-c", COLLECTING + script, *arguments], env=self.environment | environment
        )

    @cached_property
    def mapped(self) -> frozenset[str]:
        """The FHIR resource types that it maps."""
        return frozenset(self.python(MAPPED).out.split())

    @property
    def environment(self) -> dict[str, str]:
        """Its packages before the installed ones, compiled once; no settings but those given."""
        ours = {name: "" for name in os.environ if name.startswith("MAINSTEM_")}
        return ours | {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": ""}

    @property
    def commit(self) -> str:
        """Its commit, `+` where files differ from it; empty outside git."""
        described = subprocess.run(
            ["git", "-C", self.folder, "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=False
        )
        return described.stdout.strip()
