"""What changes at the hospitals on day two, and what must travel because of it."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from mainstem.consumer.tail import Seen
from mainstem.demo.embedded import Hospital
from mainstem.demo.hospitals import SiteFiles, deliver_newcomer
from mainstem.demo.populations import Populations
from schemas.errors import MainstemError, OperatorError
from transforms.mapped import DERIVED

HBA1C, WEIGHT = "4548-4", "29463-7"
CORRECTED, IN_ERROR, NEWCOMER = "lakeside", "harbor", "prairie"


@dataclass(frozen=True)
class Changes:
    """What was changed: records expected by site and operation."""

    new_resources: int


def change(state: Path, ports: dict[str, int], children: Populations, console: Console) -> Changes:
    """Correct a value at the search hospital, mark one as entered in error at the bulk hospital, deliver a new patient."""
    files = SiteFiles(state)
    if (files.delivery(NEWCOMER) / "day-two").exists():
        raise OperatorError("Day two has already come.", "Start the demo again to see it once more.")
    search = Hospital.attach(state, CORRECTED, ports[CORRECTED])
    corrected = _pick(children, CORRECTED, lambda found: _code(found) == HBA1C and "valueQuantity" in found)
    resource = search.read("Observation", corrected)
    was = resource["valueQuantity"]["value"]
    resource["valueQuantity"]["value"] = round(was + 0.7, 1)
    resource["status"] = "corrected"
    search.put(resource)
    console.print(
        f"  {CORRECTED}: an HbA1c is corrected from {was} % to {resource['valueQuantity']['value']} %", highlight=False
    )
    bulk = Hospital.attach(state, IN_ERROR, ports[IN_ERROR])
    wrong = _pick(children, IN_ERROR, lambda found: _code(found) == WEIGHT)
    resource = bulk.read("Observation", wrong)
    resource["status"] = "entered-in-error"
    bulk.put(resource)
    console.print(f"  {IN_ERROR}: a body weight is marked entered-in-error", highlight=False)
    lines = deliver_newcomer(children, NEWCOMER, files.delivery(NEWCOMER))
    console.print(f"  {NEWCOMER}: a new patient is delivered, {lines} resources", highlight=False)
    for hospital in (search, bulk):
        hospital.close()
    return Changes(lines)


def expected(changes: Changes, events: Sequence[Seen]) -> None:
    """Raise if anything else travelled than was changed, and the values that are made of it, at the same hospitals."""
    found = Counter((event.site, event.operation) for event in events if event.type != DERIVED)
    others = set(found) - {(CORRECTED, "amended"), (IN_ERROR, "withdrawn"), (NEWCOMER, "recorded")}
    whole = (
        found[CORRECTED, "amended"] == 1
        and found[IN_ERROR, "withdrawn"] == 1
        and found[NEWCOMER, "recorded"] >= changes.new_resources
    )
    elsewhere = {event.site for event in events} - {CORRECTED, IN_ERROR, NEWCOMER}
    if others or elsewhere or not whole:
        raise MainstemError(
            f"Other events travelled than were changed: {dict(found)}", "This is a defect; please report it."
        )


def _pick(children: Populations, site: str, wanted: Callable[[dict[str, Any]], bool]) -> str:
    """The id of the last such observation of a hospital."""
    path = next(path for path in children.files(site) if path.stem == "Observation")
    with path.open("rb") as file:
        found = [str(resource["id"]) for resource in map(json.loads, file) if wanted(resource)]
    return found[-1]


def _code(resource: dict[str, Any]) -> str:
    return str(resource["code"]["coding"][0]["code"]) if resource.get("code", {}).get("coding") else ""
