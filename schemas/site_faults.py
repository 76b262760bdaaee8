"""What is wrong with a site file whose TOML can be read: each fault with its line and key, in words."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from schemas.toml_words import in_words

_KIND = re.compile(r"(str|int|float|list)(\[.*\])?")
"""What pydantic adds to a key's name where its value may be of several kinds."""


def faults(
    text: str, errors: Sequence[Any], model: type[BaseModel], patterns: Mapping[str, str]
) -> list[tuple[int | None, str]]:
    """(12, "fhir.base_ulr: unknown key; did you mean 'base_url'?"), by line; a value that may be of several kinds once.

    `patterns`: a pattern of the model → what somebody who wrote another form is told.
    """
    found: dict[tuple[int | None, str], list[str]] = {}
    for error in errors:
        path = [str(part) for part in error["loc"]]
        while len(path) > 1 and _KIND.fullmatch(path[-1]):
            path.pop()
        keys = [part for part in path if not part.isdigit()]
        place = _line_of(text, keys), ".".join(path) or "the file"
        found.setdefault(place, []).append(_words(error, keys, model, patterns))
    told = [(line, f"{name}: {', or '.join(dict.fromkeys(words))}") for (line, name), words in found.items()]
    return sorted(told, key=lambda fault: fault[0] or 0)


def _words(error: Any, keys: list[str], model: type[BaseModel], patterns: Mapping[str, str]) -> str:
    if error["type"] == "extra_forbidden":
        return f"unknown key; {_meant(keys, model)}"
    if error["type"] == "string_pattern_mismatch":
        return patterns.get(error["ctx"]["pattern"], "has another form than it needs")
    return in_words(error)


def _meant(keys: list[str], model: type[BaseModel]) -> str:
    """The key that is so called, or nearly so: here, or in another section."""
    from difflib import get_close_matches  # a misspelt file alone needs it

    valid, name = _valid_keys(keys[:-1], model), keys[-1].casefold()
    if near := get_close_matches(name, valid, n=1):
        return f"did you mean '{near[0]}'?"
    if elsewhere := [section for section, key in _everywhere(model, "") if key == name]:
        return f"it belongs {f'below [{elsewhere[0]}]' if elsewhere[0] else 'above the first section'}"
    return f"valid here: {', '.join(valid)}"


def _everywhere(model: type[BaseModel], section: str) -> Iterator[tuple[str, str]]:
    """Each section and key of it."""
    for name in model.model_fields:
        yield section, name
        if (inner := section_of(model, name)) is not None:
            yield from _everywhere(inner, f"{section}.{name}".removeprefix("."))


def section_of(section: type[BaseModel], name: str) -> type[BaseModel] | None:
    """The section that a key of it is, if it is one."""
    annotation = section.model_fields[name].annotation
    candidates = getattr(annotation, "__args__", (annotation,))
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)


def _valid_keys(path: list[str], model: type[BaseModel]) -> list[str]:
    section = model
    for name in path:
        inner = section_of(section, name) if name in section.model_fields else None
        if inner is None:
            return []
        section = inner
    return list(section.model_fields)


def _line_of(text: str, keys: list[str]) -> int | None:
    """Line of a key, or of the section that should hold it; tomllib keeps no positions."""
    section: list[str] = []
    best = None
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
            section = [part.strip().strip('"') for part in header[1].split(".")]
            if section == keys:
                return number
            if section == keys[:-1]:
                best = number
        elif (match := re.match(r'\s*([\w."-]+)\s*=', line)) and [
            *section,
            *(part.strip('"') for part in match[1].split(".")),
        ] == keys:
            return number
    return best
