"""Tier 3: how many persons of a cohort have what, by every field that may be counted by; no row is a person."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection

from services.measures.cells import suppressed
from services.research.extracting import Extracted, Moved, Wanted, leaving, people_of, tell, withdrawn_of

NOT_TOLD = "(not told)"
SCHEMA = pa.schema([("type", pa.string()), ("field", pa.string()), ("value", pa.string()), ("persons", pa.int64())])
MEANING = (
    ("counts", "type", "The record type.", "", "", ""),
    ("counts", "field", "The field that persons are counted by.", "", "", ""),
    ("counts", "value", f"Its value; {NOT_TOLD}: persons of the cohort without any.", "", "", ""),
    (
        "counts",
        "persons",
        "Persons with a current record that says so; empty: suppressed, being 1 to 10 or telling of one.",
        "",
        "",
        "",
    ),
)


def extract(
    connection: Connection, to: Path, wanted: Wanted, *, moved: Moved = lambda name, records: None
) -> Extracted:
    """Writes `counts.parquet`. Raises OperatorError for a cohort of too few. Memory: a bit a person and value."""
    people, done = people_of(connection, wanted), Extracted()
    done.withdrawn = withdrawn_of(people)
    numbers = {subject: number for number, subject in enumerate(each for each in people.born if people.has(each))}
    to.mkdir(parents=True, mode=0o700)
    with pq.ParquetWriter(to / "counts.parquet", SCHEMA, compression="zstd") as writer:
        for name in wanted.types:
            cells: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
            for leaves in leaving(connection, wanted, people, name, done, moved):
                for subject, told in leaves:
                    if subject in numbers:
                        _add(cells, told, 1 << numbers[subject])
                done.subjects.update(subject for subject, _ in leaves if subject in numbers)
            rows = [row for field, values in sorted(cells.items()) for row in _rows(name, field, values, len(numbers))]
            if rows:
                writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
                done.written["counts"] += len(rows)
    tell(connection, to, wanted, done, "Counts of persons", iter(MEANING))
    return done


def _add(cells: dict[str, dict[str, int]], told: Mapping[str, Any], person: int) -> None:
    for field, value in told.items():
        for each in value if isinstance(value, list) else [value]:
            if field != "type" and isinstance(each, str | bool):
                cells[field][str(each)] |= person


def _rows(name: str, field: str, values: Mapping[str, int], everybody: int) -> Iterator[dict[str, Any]]:
    having = 0
    for bits in values.values():
        having |= bits
    counts = {value: bits.bit_count() for value, bits in values.items()} | {NOT_TOLD: everybody - having.bit_count()}
    for value, count in sorted(suppressed(counts).items()):
        yield {"type": name, "field": field, "value": value, "persons": count}
