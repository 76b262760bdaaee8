"""Whether a schema may follow another within a major: FULL_TRANSITIVE, both read both. Optional fields come and go; all else stays."""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
WORDS = ("type", "const", "enum", "pattern", "format", "minimum", "maximum", "minLength", "maxLength", "discriminator")
"""What decides whether a value is valid, beside its parts. Descriptions, titles and sources may change."""


def broken(old: Mapping[str, Schema], new: Mapping[str, Schema]) -> list[str]:
    """What a new set of schemas, by file name, breaks of an old one; empty when nothing."""
    gone = [f"{name}: is no longer there" for name in sorted(old.keys() - new.keys())]
    changed = [what for name in sorted(old.keys() & new.keys()) for what in differences(old[name], new[name], name)]
    return gone + changed


def differences(old: Schema, new: Schema, where: str = "$") -> Iterator[str]:
    """What is incompatible between two versions of a schema, by where it stands."""
    yield from _compared(old, new, old, new, where, frozenset())


def _compared(
    old: Schema, new: Schema, roots: Schema, rooted: Schema, where: str, seen: frozenset[str]
) -> Iterator[str]:
    reference = str(old.get("$ref", ""))
    if reference in seen:
        return
    old, new, seen = _resolved(old, roots), _resolved(new, rooted), seen | ({reference} - {""})
    for word in WORDS:
        if _plain(old.get(word)) != _plain(new.get(word)):
            yield f"{where}: {word} was {old.get(word)!r}, is {new.get(word)!r}"
    yield from _members(old, new, roots, rooted, where, seen)
    for word in ("items", "additionalProperties"):
        if isinstance(old.get(word), Mapping) and isinstance(new.get(word), Mapping):
            yield from _compared(old[word], new[word], roots, rooted, f"{where}[]", seen)
        elif old.get(word) != new.get(word):
            yield f"{where}: {word} differs"
    yield from _choices(old, new, roots, rooted, where, seen)


def _members(
    old: Schema, new: Schema, roots: Schema, rooted: Schema, where: str, seen: frozenset[str]
) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    needed, needs = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(needed ^ needs):
        yield f"{where}.{name}: {'is no longer required' if name in needed else 'is required now'}"
    for name in sorted(before.keys() & after.keys()):
        yield from _compared(before[name], after[name], roots, rooted, f"{where}.{name}", seen)


def _choices(
    old: Schema, new: Schema, roots: Schema, rooted: Schema, where: str, seen: frozenset[str]
) -> Iterator[str]:
    """`anyOf` in our schemas is a value or null; `oneOf`, one record type of several, may gain some."""
    before, after = old.get("anyOf", []), new.get("anyOf", [])
    if len(before) != len(after):
        yield f"{where}: had {len(before)} choices, has {len(after)}"
        return
    for one, other in zip(before, after, strict=True):
        yield from _compared(one, other, roots, rooted, where, seen)


def _resolved(schema: Schema, root: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    found: Any = root
    for part in str(schema["$ref"]).removeprefix("#/").split("/"):
        found = found[part]
    return {**found, **{name: value for name, value in schema.items() if name != "$ref"}}


def _plain(value: Any) -> Any:
    """A discriminator may name more types; nothing else of it may change."""
    return value.get("propertyName") if isinstance(value, Mapping) else value
