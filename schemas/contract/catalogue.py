"""docs/events.md: the contract for people, made from what the machines are given."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemas.channels import CHANNELS, DEAD_LETTER_DAYS, PARTITIONS, TOMBSTONE_DAYS
from schemas.contract.headers import HEADERS
from schemas.contract.prose import AFTER, BEFORE
from schemas.contract.released import since
from schemas.events import CONTRACT_MAJOR, Change, OutcomeEvent, Provenance, Source
from schemas.flags import FLAGS
from schemas.outcomes import RECORD_TYPES
from schemas.problems import NOT_LOADED, Reason

Schema = Mapping[str, Any]
Rows = Sequence[Sequence[str]]


def catalogue(schemas: Mapping[str, Schema]) -> str:
    """The page; `schemas` are the generated ones by file name."""
    parts = [
        BEFORE,
        *_topics(),
        *_headers(),
        *_envelope(schemas),
        *_records(schemas),
        *_others(schemas),
        *_words(),
        AFTER,
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _topics() -> Iterator[str]:
    yield "## Topics\n\n`<ns>` is the network's name."
    rows = [
        (
            f"`<ns>.{channel.kind}.v{CONTRACT_MAJOR}`",
            channel.carries,
            channel.key,
            str(PARTITIONS) if channel.by_subject else "1",
            f"compacted; withdrawals stay {TOMBSTONE_DAYS} days" if channel.days is None else f"{channel.days} days",
        )
        for channel in CHANNELS
    ]
    letters = (
        "`<ns>.dlq.<group>`",
        "what a consumer group could not use",
        "as it came",
        "1",
        f"{DEAD_LETTER_DAYS} days",
    )
    yield _table(("topic", "carries", "key", "partitions", "kept"), [*rows, letters])


def _headers() -> Iterator[str]:
    yield "## Headers\n\nUTF-8, each once. What stands here is all that routing, ordering and dropping copies needs."
    rows = [(f"`{header}`", told.there, told.meaning, f"`{told.example}`") for header, told in HEADERS.items()]
    yield _table(("header", "there", "meaning", "example"), rows)


def _envelope(schemas: Mapping[str, Schema]) -> Iterator[str]:
    yield f"## The value of an outcome event\n\n{_line(OutcomeEvent.__doc__)} Three members: `record`, `change`, `provenance`."
    schema = schemas[f"outcome.v{CONTRACT_MAJOR}.json"]
    for model in (Change, Provenance, Source):
        yield f"### `{model.__name__.lower()}`\n\n{_line(model.__doc__)}"
        file = f"observation.v{CONTRACT_MAJOR}.json"
        yield _fields(schema["$defs"][model.__name__], file, ("$defs", model.__name__))


def _records(schemas: Mapping[str, Schema]) -> Iterator[str]:
    yield "## Record types\n\nA field that is not there is not known; `null` means the same. *Since* is the first release that has it."
    for name, model in RECORD_TYPES.items():
        file = f"{name}.v{CONTRACT_MAJOR}.json"
        yield f"### `{name}`\n\n{_line(model.__doc__)} Schema: `/schemas/{file}`."
        yield _fields(schemas[file]["$defs"][model.__name__], file, ("$defs", model.__name__))


def _others(schemas: Mapping[str, Schema]) -> Iterator[str]:
    for title, file in (
        ("A load event", "load"),
        ("A subject event", "subject"),
        ("A result of a measure", "feedback"),
        ("A report of an erasure", "erasure"),
        ("That a consent is heeded", "consent_heeded"),
        ("What a family asks", "consent_asked"),
        ("A site's mark", "site_published"),
    ):
        name = f"{file}.v{CONTRACT_MAJOR}.json"
        yield f"## {title}\n\n{_line(schemas[name].get('description'))}"
        yield _fields(schemas[name], name, ())
        for part, schema in schemas[name].get("$defs", {}).items():
            if "properties" in schema:
                yield f"### `{part}`\n\n{_line(schema.get('description'))}"
                yield _fields(schema, name, ("$defs", part))


def _words() -> Iterator[str]:
    yield f"## Flags\n\n{_FLAGS}"
    yield _table(("flag", "meaning"), [(f"`{flag}`", meaning) for flag, meaning in sorted(FLAGS.items())])
    yield f"## Reasons\n\n{_REASONS}"
    rows = [(f"`{reason.value}`", reason.meaning, reason.fix) for reason in Reason]
    yield _table(("reason", "meaning", "what the site can do"), rows)


_FLAGS = (
    "In `provenance.flags`. What a flag says is left out does not stand in the record. Mapping sets flags with the content. `duplicates` and most of `implausible-…` come of checks of all records of the person at "
    "the end of a load; they come and go as those change, and the record is then published as amended with the same `digest`. "
    "Pass over flags you do not know."
)

_REASONS = (
    "In a load's `skipped`: why a resource of the source gave no record. By "
    + ", ".join(f"`{reason.value}`" for reason in Reason if reason in NOT_LOADED)
    + " what it gave before stays; by `not-a-fact` that is withdrawn; by any other it is withdrawn with the header `reason: source-unusable`."
)


def _fields(schema: Schema, file: str, path: tuple[str, ...]) -> str:
    needed = set(schema.get("required", ()))
    rows = [
        (
            f"`{name}`",
            _type(field),
            _line(field.get("description") or _said(schema, name)),
            str(field.get("unit", "")),
            str(field.get("terminology", "")),
            "no" if name in needed else "may be absent",
            since(file, *path, "properties", name),
        )
        for name, field in schema["properties"].items()
    ]
    return _table(("field", "type", "meaning", "unit", "terminology", "null", "since"), rows)


def _said(schema: Schema, name: str) -> str:
    return "The record type." if name == "type" else ""


def _type(field: Schema) -> str:
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "$ref" in field:
        return str(field["$ref"]).rsplit("/", 1)[-1]
    if "enum" in field:
        return ", ".join(f"`{word}`" for word in field["enum"])
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_type(each) for each in field["anyOf"] if each.get("type") != "null"))
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    if field.get("type") == "object" and isinstance(field.get("additionalProperties"), Mapping):
        return f"{_type(field['additionalProperties'])} by name"
    return str(field.get("format") or field.get("type") or "any")


def _table(names: Sequence[str], rows: Rows) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in lines)


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")


def _line(text: str | None) -> str:
    return " ".join((text or "").split())
