"""The order of a delivery's files: as people number them, since what is said later counts."""

from pathlib import Path

from connectors.delivery import look_into


def test_files_come_as_people_number_them(tmp_path: Path) -> None:
    """By letters alone a hyphen stands before a dot, and 10 before 2."""
    names = [
        "Observation.ndjson",
        "Observation-2.ndjson",
        "Observation-10.ndjson",
        "Patient.000.ndjson",
        "Patient.1.ndjson.gz",
    ]
    for name in reversed(names):
        (tmp_path / name).write_bytes(b"{}\n")
    assert [path.name for path in look_into(tmp_path).files] == names
