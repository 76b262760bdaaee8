"""The key of the pseudonyms is looked at before the first run."""

from pathlib import Path
from typing import Any

import pytest

from mainstem.check import Finding
from mainstem.config.site_files import file_secrets


@pytest.fixture
def folder_of_files(make_site: Any, tmp_path: Path) -> Any:
    """A site that needs nothing else to be found ready."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "Patient.ndjson").write_text('{"resourceType":"Patient","id":"1"}\n')
    return make_site(files={"folder": "in"}, subject_key="file:north.key")


def test_key_that_is_long_enough_is_said_with_its_size(folder_of_files: Any, findings: Any) -> None:
    found = findings(folder_of_files, secrets=lambda _: b"k" * 40)
    assert found["subject key"] == Finding("subject key", True, "40 bytes")


@pytest.mark.parametrize("key", [b"", b"short", b"k" * 31])
def test_short_key_is_the_networks_to_mend(folder_of_files: Any, findings: Any, key: bytes) -> None:
    found = findings(folder_of_files, secrets=lambda _: key)
    assert not found["subject key"].ok
    assert f"{len(key)} bytes" in found["subject key"].what
    assert "mainstem sites new" in found["subject key"].fix
    assert (found["subject key"].who, found["subject key"].kind) == ("network", "operator")


def test_key_that_is_not_there_is_named_and_the_rest_is_looked_at_all_the_same(
    folder_of_files: Any, findings: Any, tmp_path: Path
) -> None:
    found = findings(folder_of_files, secrets=file_secrets(tmp_path))
    assert not found["subject key"].ok
    assert "north.key" in found["subject key"].what
    assert found["Patient"].ok


def test_no_byte_of_the_key_is_shown(folder_of_files: Any, findings: Any) -> None:
    for key in (b"MySecretKey", b"MySecretKey" * 9):
        assert "MySecret" not in repr(findings(folder_of_files, secrets=lambda _, key=key: key))
