"""What US Core demands of a resource beyond FHIR R4 itself: the elements without which most consumers can do little with it."""

import csv
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def must_haves() -> dict[str, tuple[str, ...]]:
    """By FHIR type the elements that US Core demands."""
    text = (files("transforms.fhir") / "us_core.csv").read_text("utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {row["type"]: tuple(row["elements"].split()) for row in rows}


def missing(document: dict[str, Any]) -> list[str]:
    """`Patient.gender: us-core-missing`, of each element that is demanded and not there."""
    name = str(document.get("resourceType"))
    there = {each for each, value in document.items() if value not in (None, "", [], {})}
    return [f"{name}.{each}: us-core-missing" for each in must_haves().get(name, ()) if not _has(each, there)]


def _has(element: str, there: set[str]) -> bool:
    if not element.endswith("[x]"):
        return element in there
    return any(each.startswith(element[:-3]) for each in there)


def is_must_have(finding: str) -> bool:
    """Whether a finding of the judge is of an element that US Core demands."""
    name, _, rest = finding.partition(":")[0].partition(".")
    element = rest.partition(".")[0].partition("[")[0]
    return any(
        element.startswith(each[:-3]) if each.endswith("[x]") else element == each
        for each in must_haves().get(name, ())
        if element
    )
