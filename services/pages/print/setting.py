"""A template filled and set: a PDF with its structure tagged for screen readers, or its pages as PNG."""

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

import typst


def pdf(template: str, filling: Any, pictures: Mapping[str, str], *, made: datetime) -> bytes:
    """The paper as PDF/UA, which demands alternative texts, tags and a title. `pictures`: SVG by the name that the filling gives it; `made`: its date, so that the same content is the same file."""
    return _one(typst.compile(_project(template, filling, pictures), pdf_standards="ua-1", timestamp=made))


def png(template: str, filling: Any, pictures: Mapping[str, str]) -> list[bytes]:
    """Its pages as pictures, for looking at."""
    set_pages = typst.compile(_project(template, filling, pictures), format="png", ppi=110)
    return set_pages if isinstance(set_pages, list) else [_one(set_pages)]


def _one(found: object) -> bytes:
    assert isinstance(found, bytes)
    return found


def _project(template: str, filling: Any, pictures: Mapping[str, str]) -> Any:
    """The files as typst sees them; texts come as data, so that none of them is taken for markup."""
    content = asdict(filling) if is_dataclass(filling) and not isinstance(filling, type) else filling
    return {
        "main.typ": _template(template),
        "look.typ": _template("look"),
        "filling.json": json.dumps(content, default=str).encode(),
        **{f"{name}.svg": svg.encode() for name, svg in pictures.items()},
    }


@cache
def _template(name: str) -> bytes:
    return (files("services.pages") / "print" / f"{name}.typ").read_bytes()
