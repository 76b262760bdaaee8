"""The contract of each release, kept so that none after it breaks it, and to say since when a field is there."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from schemas.contract.compatibility import broken

PERSONAL = ("site.json", "reasons.json")
"""Files of `generated` that are no event's: a site's settings and words for people."""
UNION = "outcome.v1.json"
"""All record types in one: those are compared one by one, and there may be more of them."""


def is_contract(name: str) -> bool:
    """Whether a generated file binds those who read events."""
    return name.endswith(".json") and name not in PERSONAL


@cache
def released() -> dict[str, dict[str, Any]]:
    """Every release's schemas by version, the oldest first, then by file name."""
    found = [
        folder for folder in (files("schemas") / "released").iterdir() if folder.is_dir() and folder.name[0].isdigit()
    ]
    ordered = sorted(found, key=lambda folder: [int(part) for part in folder.name.split(".")])
    return {
        folder.name: {each.name: json.loads(each.read_text(encoding="utf-8")) for each in folder.iterdir()}
        for folder in ordered
    }


def broken_since(schemas: dict[str, Any]) -> list[str]:
    """What these schemas break of any release, with its version."""
    return [
        f"{version}: {what}"
        for version, old in released().items()
        for what in broken({name: old[name] for name in old if name != UNION}, schemas)
    ]


def since(file: str, *path: str) -> str:
    """The first release whose schema has a member; `next` where none has."""
    for version, schemas in released().items():
        node: Any = schemas.get(file, {})
        for part in path:
            node = node.get(part, {}) if isinstance(node, dict) else {}
        if node:
            return version
    return "next"
