"""One person's records, and what is derived of them."""

import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import TypeAdapter

from schemas.outcomes import AnyRecord
from transforms.derive import Deriver, values
from transforms.mapped import Current, Mapped

KEY = b"a key of thirty-two bytes, no less"
ANNE = b"a" * 16
_RECORD: TypeAdapter[Any] = TypeAdapter(AnyRecord)
_numbers = itertools.count()


def record(kind: str, name: str = "", /, **fields: Any) -> Current:
    """One current record."""
    id_ = (name or f"{next(_numbers)}").encode().ljust(16, b"\0")
    content = {"type": kind, "id": f"r-{id_.hex()}", "subject": f"s-{ANNE.hex()}", "site": "north", **fields}
    return Current(id_, kind, ANNE, json.dumps(content, separators=(",", ":")).encode())


def observed(code: str, value: float, unit: str | None, day: str, name: str = "", /, **fields: Any) -> Current:
    """A reading."""
    return record("observation", name, code=code, value=value, unit=unit, effective_date=day, **fields)


def girl(born: str = "2014-03-02", **fields: Any) -> Current:
    """A person."""
    return record("person", "person", **{"birth_date": born, "sex": "female", **fields})


def weight(value: float, day: str, **fields: Any) -> Current:
    """In kg."""
    return observed("29463-7", value, "kg", day, **fields)


def height(value: float, day: str, **fields: Any) -> Current:
    """In cm."""
    return observed("8302-2", value, "cm", day, **fields)


def derive(*records: Current, wanted: str = "all") -> list[dict[str, Any]]:
    """What stands of them, each valid in the model and named by what it hangs on."""
    found: list[dict[str, Any]] = []
    for each in deriver(wanted).derive(records):
        assert isinstance(each, Mapped)
        _RECORD.validate_json(each.content)
        found.append(json.loads(each.content))
    return found


def deriver(wanted: str = "all") -> Deriver:
    """Of some values."""
    return Deriver(site="north", subject_key=KEY, values=values(wanted))


def of(found: Iterable[dict[str, Any]], method: str) -> list[Any]:
    """The values of a method, with their bands where they have some."""
    return [
        (each["value"], each["value_code"]) if "value_code" in each else each["value"]
        for each in found
        if each["method"] == method
    ]


PHQ9 = ("44250-9", "44255-8", "44259-0", "44254-1", "44251-7", "44258-2", "44252-5", "44253-3", "44260-8")
GAD7 = ("69725-0", "68509-9", "69733-4", "69734-2", "69735-9", "69689-8", "69736-7")


def answers(
    codes: Iterable[str], day: str = "2024-03-02", response: str = "form", first: int = 1, **fields: Any
) -> list[Current]:
    """A response: answers in turn by LOINC's code, by their weight, by a number."""
    said: list[dict[str, Any]] = [{"value_code": "LA6570-1"}, {"value_code": "X", "weight": 3}, {"value": 1}]
    return [
        record(
            "pro_response",
            f"{response:<12}{number:04}",
            **{"code": code, "effective_date": day, **said[number % 3], **fields},
        )
        for number, code in enumerate(codes, first)
    ]


def visit(day: str, name: str = "", /, **fields: Any) -> Current:
    """An encounter."""
    return record("encounter", name, start_date=day, class_code="AMB", **fields)


def medicine(ingredient: str, start: str, end: str | None = None, **fields: Any) -> Current:
    """An order, unless it says otherwise."""
    fields = {"kind": "ordered", "start_date": start, "end_date": end, "ingredients": [ingredient], **fields}
    return record("medication", **{name: field for name, field in fields.items() if field is not None})


def assessment(instrument: str, day: str, **fields: Any) -> Current:
    """A score or state."""
    return record("disease_assessment", instrument=instrument, effective_date=day, **fields)


def mapped(found: Iterable[Mapped | bytes]) -> Iterator[Mapped]:
    """What is given, without what is withdrawn."""
    return (each for each in found if isinstance(each, Mapped))
