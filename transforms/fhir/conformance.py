"""FHIR R4's judge, off the hot path: what fhir.resources says of a resource, without any of its values.

Used to explain why a resource is unusable, and to check a sample of each load. fhir.resources' R4B models read R4; its
plain import is R5 and refuses every R4 Encounter.
"""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError


@cache
def _judge() -> Any:
    from fhir.resources.R4B import get_fhir_model_class

    return get_fhir_model_class


def conforms(line: bytes) -> list[str]:
    """What in a line is not FHIR R4: `Observation.status: missing`; empty where all is right.

    Field paths and kinds of error only: pydantic's own text quotes the input.
    """
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return ["invalid-json"]
    name = document.get("resourceType") if isinstance(document, dict) else None
    model = _model(name) if isinstance(name, str) else None
    if model is None:
        return ["not-a-resource"]
    try:
        model.model_validate(document)
    except ValidationError as exc:
        return [
            _finding(str(name), model, error)
            for error in exc.errors(include_input=False, include_url=False, include_context=False)
        ]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return [f"{name}: unreadable"]
    return []


def _model(name: str) -> type[BaseModel] | None:
    try:
        model: type[BaseModel] = _judge()(name)
    except (LookupError, ValueError):
        return None
    return model


def _finding(name: str, model: type[BaseModel], error: Any) -> str:
    """One error as path and kind. A path's parts that the model does not know come from the source: shown as `?`."""
    path = [name]
    known: Any = model
    for part in error["loc"]:
        if isinstance(part, int):
            path.append(f"[{part}]")
        else:
            path.append(f".{part}" if known is not None and _is_field(part) else ".?")
    return f"{''.join(path)}: {error['type']}"


def _is_field(part: str) -> bool:
    return any(part in _fields_of(model) for model in _loaded())


def _loaded() -> Iterator[type[BaseModel]]:
    """The models loaded so far: a resource's first error of a kind may load more of them."""
    from fhir_core.fhirabstractmodel import FHIRAbstractModel

    waiting: list[type[BaseModel]] = [FHIRAbstractModel]
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        yield model


@cache
def _fields_of(model: type[BaseModel]) -> frozenset[str]:
    return frozenset(name for field, info in model.model_fields.items() for name in (field, info.alias or field))
