"""Vega-Lite's words as plain dictionaries. Made so a chart costs a tenth of a millisecond; held against the schema by the tests."""

from collections.abc import Mapping, Sequence
from typing import Any

Words = dict[str, Any]
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.4.1.json"
AT_THE_RIGHT: Words = {"value": "width"}
"""Where names of lines stand: at the right end of the panel."""


def quantity(field: str, **more: Any) -> Words:
    """A field of numbers, as a channel has it."""
    return {"field": field, "type": "quantitative", **more}


def name(field: str, **more: Any) -> Words:
    """A field of names, as a channel has it."""
    return {"field": field, "type": "nominal", **more}


def named(data: str) -> Words:
    """Data of the whole chart, by their name among `datasets`."""
    return {"name": data}


def rows(*values: Mapping[str, Any]) -> Words:
    """Data of one layer."""
    return {"values": list(values)}


def layer(data: Words | None, mark: str, look: Words, where: str = "", **channels: Any) -> Words:
    """What is drawn of some data: a kind of mark, how it looks, what its channels show; of those alone for which `where` holds."""
    made: Words = {"mark": {"type": mark, **look}, "encoding": channels}
    if data is not None:
        made["data"] = data
    if where:
        made["transform"] = [{"filter": where}]
    return made


def text(data: Words, field: str, look: Words, where: str = "", **channels: Any) -> Words:
    """A field written where its channels say."""
    return layer(data, "text", look, where, text=name(field), **channels)


def chosen(test: str, value: Any, otherwise: Words) -> Words:
    """One value where the test holds, else another."""
    return {"condition": {"test": test, "value": value}, **otherwise}


def layered(layers: Sequence[Words], width: int, height: int, **more: Any) -> Words:
    """Layers over each other, the first behind."""
    return {"layer": list(layers), "width": width, "height": height, **more}
