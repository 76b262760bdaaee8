"""A chart's specification as SVG or PNG, for who has no script and for a slide. Nothing is fetched from elsewhere."""

import json
from functools import lru_cache
from html import escape
from typing import Any

import vl_convert


def svg(specification: dict[str, Any]) -> str:
    """The chart as SVG; its description is its alternative text."""
    return _svg(json.dumps(specification))


def png(specification: dict[str, Any]) -> bytes:
    """The chart as PNG, twice the size of the screen's."""
    return _png(json.dumps(specification))


@lru_cache(maxsize=32)
def _svg(specification: str) -> str:
    drawn = str(vl_convert.vegalite_to_svg(specification, allowed_base_urls=[]))
    words = json.loads(specification).get("description") or ""
    said = "".join(char for char in words if char.isprintable())  # XML knows no control characters
    return drawn.replace("<svg ", f'<svg role="img" aria-label="{escape(said)}" ', 1) if said else drawn


@lru_cache(maxsize=8)
def _png(specification: str) -> bytes:
    return bytes(vl_convert.vegalite_to_png(specification, scale=2, allowed_base_urls=[]))
