"""The contract of a vendor file: every file in connectors/vendors/ keeps it."""

import dataclasses
from pathlib import Path

import pytest

import connectors.vendors
from connectors.vendors import ALWAYS_RETRIED, Vendor, vendor, vendor_names
from schemas.errors import OperatorError

SMALL = 40


@pytest.mark.parametrize("name", vendor_names())
def test_vendor_file_is_small_and_only_data(name: str) -> None:
    path = Path(connectors.vendors.__file__).parent / f"{name}.py"
    source = path.read_text()
    assert len(source.splitlines()) <= SMALL
    assert "def " not in source
    found = vendor(name)
    assert isinstance(found, Vendor)
    assert found.title


@pytest.mark.parametrize("name", vendor_names())
def test_vendor_values_can_be_sent(name: str) -> None:
    found = vendor(name)
    assert found.retried >= ALWAYS_RETRIED
    assert all(100 <= status < 600 and status not in (401, 403) for status in found.retried)
    assert all(size is None or 1 <= size <= 1000 for size in found.page_sizes.values())
    for branches in found.fan_out.values():
        assert branches
        assert len(set(branches)) == len(branches)
    for value in found.headers.values():
        assert value.format(client_id="x").isascii()


@pytest.mark.parametrize("name", vendor_names())
def test_vendor_cannot_be_changed_by_a_run(name: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        vendor(name).title = "other"  # type: ignore[misc]


def test_unknown_vendor_names_the_nearest_and_all() -> None:
    with pytest.raises(OperatorError) as caught:
        vendor("epik")
    assert "'epik'" in caught.value.cause
    assert "Did you mean 'epic'?" in caught.value.fix
    assert all(name in caught.value.fix for name in vendor_names())


def test_vendor_is_found_by_the_name_of_its_file() -> None:
    files = {path.stem for path in Path(connectors.vendors.__file__).parent.glob("[a-z]*.py")}
    assert set(vendor_names()) == files >= {"cerner", "epic", "generic", "hapi"}
