"""A device in use over several nights: its Device comes, changes and goes; what cannot be used takes the old record away."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

from mainstem import refresh as steps
from mainstem.refresh import Refresh
from schemas.loads import TypeCounts

Make = Callable[..., Refresh]
Json = dict[str, Any]
TYPES = ["DeviceUseStatement", "Device"]
PUMP, SENSOR = "69805005", "700585005"


def use(reference: str = "Device/d1") -> Json:
    return {
        "resourceType": "DeviceUseStatement",
        "id": "u1",
        "status": "active",
        "subject": {"reference": "Patient/kid-7"},
        "device": {"reference": reference},
    }


def device(code: str = PUMP, **fields: Any) -> Json:
    coding = {"system": "http://snomed.info/sct", "code": code}
    return {"resourceType": "Device", "id": "d1", "type": {"coding": [coding]}, "serialNumber": "SN-1"} | fields


def night(refresh: Refresh, tmp_path: Path, *resources: Json) -> TypeCounts:
    """A delivery of the two types; a type that does not come leaves what was known."""
    lines = {name: [json.dumps(each) for each in resources if each["resourceType"] == name] for name in TYPES}
    for name, written in lines.items():
        (tmp_path / "delivery" / f"{name}.ndjson").write_text("".join(f"{line}\n" for line in written))
    load = steps.plan(refresh, fresh=True).load
    steps.pull_units(refresh, load, TYPES)
    counts = steps.map_types(refresh, load, TYPES)
    steps.derive(refresh, load)
    return counts


def standing(tmp_path: Path) -> list[str | None]:
    """The kinds of the devices in use."""
    with closing(connect(tmp_path / "state.db")) as state:
        rows = state.execute("SELECT content FROM record WHERE content IS NOT NULL").fetchall()
    return [json.loads(content).get("device") for (content,) in rows]


def test_a_device_that_changes_changes_its_use(make_refresh: Make, tmp_path: Path) -> None:
    """In the night in which it comes, though the statement does not come again."""
    refresh = make_refresh(types=["DeviceUseStatement"])
    counts = night(refresh, tmp_path, use())
    assert counts.skipped == {"unknown-device": 1}
    assert standing(tmp_path) == []
    night(refresh, tmp_path, device())
    assert standing(tmp_path) == ["pump"]
    night(refresh, tmp_path, device(SENSOR, patient={"reference": "Patient/kid-7"}))
    assert standing(tmp_path) == ["cgm"]
    night(refresh, tmp_path, device(status="entered-in-error"))
    assert standing(tmp_path) == []


def test_a_statement_that_names_an_unknown_device_later_takes_its_record_away(
    make_refresh: Make, tmp_path: Path
) -> None:
    """And is back when the device comes."""
    refresh = make_refresh(types=["DeviceUseStatement"])
    night(refresh, tmp_path, use(), device())
    counts = night(refresh, tmp_path, use("Device/d2"))
    assert counts.skipped == {"unknown-device": 1}
    assert counts.source_unusable == 1
    assert standing(tmp_path) == []
    night(refresh, tmp_path, device(SENSOR, id="d2"))
    assert standing(tmp_path) == ["cgm"]


def test_a_device_of_a_patient_is_counted_by_name_and_takes_nothing(make_refresh: Make, tmp_path: Path) -> None:
    """US Core's implantable device: the statement's record stands, whoever comes first."""
    refresh = make_refresh(types=["DeviceUseStatement"])
    owned = device(patient={"reference": "Patient/kid-7"})
    assert night(refresh, tmp_path, owned).skipped == {"device-alone": 1}
    night(refresh, tmp_path, use())
    assert standing(tmp_path) == ["pump"]
    counts = night(refresh, tmp_path, owned)
    assert (counts.read, counts.skipped, counts.mapped) == (1, {"device-alone": 1}, 0)
    assert standing(tmp_path) == ["pump"]


def test_a_request_for_a_device_waits_for_it(make_refresh: Make, tmp_path: Path) -> None:
    """Its code is the Device's; when that changes, so does the request's."""
    asked = {
        "resourceType": "DeviceRequest",
        "id": "q1",
        "status": "active",
        "intent": "order",
        "codeReference": {"reference": "Device/d1"},
        "subject": {"reference": "Patient/kid-7"},
    }
    refresh = make_refresh(types=["DeviceRequest"])
    folder, types = tmp_path / "delivery", ["Device", "DeviceRequest"]
    codes = []
    for given in ([asked], [device()], [device(SENSOR)]):
        for name in types:
            lines = [json.dumps(each) + "\n" for each in given if each["resourceType"] == name]
            (folder / f"{name}.ndjson").write_text("".join(lines))
        load = steps.plan(refresh, fresh=True).load
        steps.pull_units(refresh, load, types)
        steps.map_types(refresh, load, types)
        steps.derive(refresh, load)
        with closing(connect(tmp_path / "state.db")) as state:
            rows = state.execute("SELECT content FROM record WHERE content IS NOT NULL").fetchall()
        codes.append([json.loads(content)["code"] for (content,) in rows])
    assert codes == [[], [PUMP], [SENSOR]]
