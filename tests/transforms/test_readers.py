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


def reading(number: int, **others: object) -> bytes:
    made = {
        "resourceType": "Observation",
        "id": str(number),
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]},
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": "2026-03-02T09:10:00Z",
    }
    return json.dumps(made | others).encode()


def centimetres(value: object) -> dict[str, object]:
    return {"value": value, "unit": "cm", "system": "http://unitsofmeasure.org", "code": "cm"}


def test_a_field_that_few_lines_have_gives_what_it_gives_where_its_line_stands_alone() -> None:
    """Ranges of two among many values, one of them of no use: it is noted of its own line."""
    lines = [reading(number, valueQuantity=centimetres(100 + number)) for number in range(20)]
    lines[7] = reading(7, valueQuantity=centimetres(107), referenceRange=[{"low": centimetres(90)}])
    lines[13] = reading(13, valueQuantity=centimetres(113), referenceRange="tall")
    together = Mapper(site="north", time_zone="UTC", subject_key=KEY).map_lines(lines)
    alone = Mapper(site="north", time_zone="UTC", subject_key=KEY)
    assert together.records == [record for each in lines for record in alone.map_line(each).records]
    assert b'"reference_low":90' in together.records[7].content
    assert [place for place, record in enumerate(together.records) if b"referenceRange" in record.provenance] == [13]
    one = Mapper(site="north", time_zone="UTC", subject_key=KEY)
    one.map_lines(lines)
    assert one.take_flags() == alone.take_flags()


def test_panels_of_which_nothing_was_noticed_give_what_they_give_beside_others() -> None:
    """One of three has a part of no use: the others are read as where it is not there."""

    def panel(number: int, *values: object) -> bytes:
        codes = ({"coding": [{"system": "http://loinc.org", "code": code}]} for code in ("8302-2", "8306-3"))
        parts = [{"code": code, "valueQuantity": centimetres(value)} for code, value in zip(codes, values, strict=True)]
        return reading(number, component=parts)

    good = [panel(1, 101, 102), panel(3, 103, 104)]
    broken = panel(2, 101, "tall")
    site = Mapper(site="north", time_zone="UTC", subject_key=KEY)
    apart, among = site.map_lines(good), site.map_lines([good[0], broken, good[1]])
    assert len(apart.records) == 6
    assert [among.unusual[place].records for place in (0, 2)] == [apart.unusual[place].records for place in (0, 1)]
    assert among.unusual[1].in_part
    _, parts, left_out = site.noticed.take()
    assert (parts, sum(left_out.values())) == (10, 1)
