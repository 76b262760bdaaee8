"""What US Core demands of a resource beyond FHIR R4 itself: the elements without which most consumers can do little with it."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def must_haves() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """By FHIR type, by category (empty for all of it), the elements that US Core demands."""
    text = (files("transforms.fhir") / "us_core.csv").read_text("utf-8")
    found: defaultdict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#")):
        found[row["type"]][row["category"]] = tuple(row["elements"].split())
    return found


def missing(document: dict[str, Any]) -> list[str]:
    """`Patient.gender: us-core-missing`, of each element that is demanded and not there."""
    name = str(document.get("resourceType"))
    there = {each for each, value in document.items() if value not in (None, "", [], {})}
    demanded = must_haves().get(name, {})
    own = next((demanded[each] for each in _categories(document) if each in demanded), demanded.get("", ()))
    return [f"{name}.{each}: us-core-missing" for each in own if not _has(each, there)]


def _categories(document: dict[str, Any]) -> Iterator[str]:
    """The codes of its categories, whatever shape they have."""
    listed = document.get("category")
    for concept in listed if isinstance(listed, list) else [listed]:
        codings = concept.get("coding") if isinstance(concept, dict) else None
        for coding in codings if isinstance(codings, list) else []:
            if isinstance(coding, dict) and isinstance(coding.get("code"), str):
                yield coding["code"]


def _has(element: str, there: set[str]) -> bool:
    if not element.endswith("[x]"):
        return element in there
    return any(each.startswith(element[:-3]) for each in there)


def is_must_have(finding: str) -> bool:
    """Whether a finding of the judge is of an element that US Core demands."""
    name, _, rest = finding.partition(":")[0].partition(".")
    element = rest.partition(".")[0].partition("[")[0]
    demanded = {each for elements in must_haves().get(name, {}).values() for each in elements}
    return bool(element) and any(
        element.startswith(each[:-3]) if each.endswith("[x]") else element == each for each in demanded
    )
