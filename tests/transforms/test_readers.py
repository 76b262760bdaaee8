"""A reader is made for a type's first line, and dropped with what it remembers when its type has not come for long."""

import json

from transforms import Mapper
from transforms.reading.readers import _LONG

KEY = b"a key of thirty-two bytes, no less"


def line(kind: str, number: int = 0) -> bytes:
    return json.dumps({"resourceType": kind, "id": f"{kind}{number}", "subject": {"reference": "Patient/p"}}).encode()


def test_a_load_that_reads_type_after_type_keeps_no_reader_of_those_it_has_done() -> None:
    """The memories of all types stood side by side to the end: a fifth of what mapping took."""
    site = Mapper(site="north", time_zone="UTC", subject_key=KEY)
    assert not site._readers
    site.map_lines([line("Encounter")])
    site.map_lines([line("Procedure", number) for number in range(2 * _LONG)])
    assert {*site._readers} == {b"Procedure"}


def test_types_that_come_by_turns_keep_their_readers_and_one_that_comes_back_gives_the_same() -> None:
    site = Mapper(site="north", time_zone="UTC", subject_key=KEY)
    first = site.map_line(line("Encounter"))
    reader = site._readers[b"Encounter"]
    site.map_lines([line(kind, number) for number in range(_LONG) for kind in ("Procedure", "Encounter")])
    assert site._readers[b"Encounter"] is reader
    site.map_lines([line("Procedure", number) for number in range(2 * _LONG)])
    assert site.map_line(line("Encounter")) == first
