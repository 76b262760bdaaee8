"""JSON-able values as YAML, in the one way we write it: block style, every text in JSON's quotes."""

import json
from collections.abc import Iterator
from typing import Any

WORDS = ("true", "false", "yes", "no", "on", "off", "null", "y", "n")
"""What YAML would not take for text."""


def as_yaml(value: Any) -> str:
    """A document."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any, indent: str = "") -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name, content in value.items():
            yield from _member(f"{indent}{_key(str(name))}:", content, indent + "  ")
    elif isinstance(value, list) and value:
        for content in value:
            yield from _member(f"{indent}-", content, indent + "  ")
    else:
        yield indent + _scalar(value)


def _member(start: str, content: Any, indent: str) -> Iterator[str]:
    if isinstance(content, dict | list) and content:
        yield start
        yield from _lines(content, indent)
    else:
        yield f"{start} {_scalar(content)}"


def _scalar(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    plain = name.replace("_", "").replace("-", "").isalnum() and not name[0].isdigit() and name.lower() not in WORDS
    return name if plain else json.dumps(name)
