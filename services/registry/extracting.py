"""A research extract: the current records of a cohort as Parquet files, a type a file, with a dictionary and what was left out.

What leaves of a record is decided by whoever asks (`at_tier`); here nobody leaves who withdrew from research, and no cohort of a few.
"""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, or_, select

from schemas.errors import OperatorError
from schemas.outcomes import RECORD_TYPES
from services.registry.asking import Asked, pages_of
from services.registry.completeness import completeness
from services.registry.erasure import not_extracted
from services.registry.tables import RECORD_TABLES, model_fields

AtTier = Callable[[Mapping[str, Any], str | None], Mapping[str, Any] | None]
"""A record and its person's birth date → what leaves of it; None for nothing."""
FEWEST = 11
"""A cohort or a count of fewer is not told: cells of 1 to 10 (CMS's cell size suppression policy)."""
PAGE = 8_000
OPEN_TIER = 1
"""The registry's own: nothing is made coarse, so no cohort is too small for whoever may see it anyway."""


@dataclass
class Extracted:
    """What was written, and what was not."""

    written: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    """By record type: of which the tier lets nothing leave."""
    subjects: set[str] = field(default_factory=set)
    """Pseudonyms of whom something leaves: for the log of disclosures, never for the files."""
    withdrawn: int = 0
    """Persons of the cohort who withdrew from research."""


def cohort_of(connection: Connection, codes: Sequence[str]) -> set[str] | None:
    """Persons with a condition that is one of these codes (SNOMED CT, or an ICD-10-CM category); everybody where there is none."""
    if not codes:
        return None
    row = RECORD_TABLES["condition"].c
    asked = [or_(row.code == code, row.icd10cm == code, row.icd10cm.startswith(f"{code}.")) for code in codes]
    doubted = row.verification_status.in_(("refuted", "entered-in-error"))
    query = select(row.subject).where(or_(*asked), or_(row.verification_status.is_(None), ~doubted))
    return set(connection.scalars(query.distinct()))


def extract(
    connection: Connection,
    to: Path,
    *,
    tier: int,
    types: Collection[str],
    codes: Sequence[str],
    at_tier: AtTier,
    moved: Callable[[str, int], object] = lambda name, records: None,
) -> Extracted:
    """Writes the files. Memory holds a page of records, whatever their number. Raises OperatorError for a cohort of too few."""
    cohort, closed, done = cohort_of(connection, codes), not_extracted(connection), Extracted()
    done.withdrawn = len(closed if cohort is None else cohort & closed)
    if tier > OPEN_TIER and cohort is not None and len(cohort - closed) < FEWEST:
        raise OperatorError(
            f"fewer than {FEWEST} people belong to this cohort", "Ask for a wider one: so few could be told apart."
        )
    to.mkdir(parents=True, mode=0o700)
    person = RECORD_TABLES["person"].c
    born = {row.subject: row.birth_date for row in connection.execute(select(person.subject, person.birth_date))}
    for name in types:
        _write(connection, to / f"{name}.parquet", name, cohort, closed, born, at_tier, done, moved)
    _tell(connection, to, tier, codes, done)
    return done


def _write(
    connection: Connection,
    path: Path,
    name: str,
    cohort: set[str] | None,
    closed: Collection[str],
    born: Mapping[str, str | None],
    at_tier: AtTier,
    done: Extracted,
    moved: Callable[[str, int], object],
) -> None:
    schema, fields, seen = _schema(name), model_fields(name), 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for page in pages_of(connection, Asked(name, limit=PAGE)):
            rows = []
            for row in page.records:
                subject = row["subject"]
                if subject in closed or (cohort is not None and subject not in cohort):
                    continue
                record = {key: row[key] for key in fields if row.get(key) is not None} | {"type": name}
                told = at_tier(record, born.get(subject))
                if not told or not told.keys() - {"type"}:
                    done.held[name] += 1
                    continue
                done.subjects.add(subject)
                rows.append({key: _cell(told.get(key), schema.field(key).type) for key in schema.names})
            if rows:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                done.written[name] += len(rows)
            seen += len(page.records)
            moved(name, seen)
    path.chmod(0o600)


def _schema(name: str) -> pa.Schema:
    """Numbers as doubles, yes and no as such, lists and structures as JSON, all else as text: a date may leave as a year alone."""
    return pa.schema(
        [pa.field(key, _type(RECORD_TYPES[name].model_fields[key].annotation)) for key in model_fields(name)]
    )


def _type(annotation: Any) -> pa.DataType:
    kinds = {annotation, *get_args(annotation)}
    kinds |= {inner for each in kinds for inner in get_args(each)}
    if Decimal in kinds or float in kinds:
        return pa.float64()
    if bool in kinds:
        return pa.bool_()
    return pa.int64() if int in kinds else pa.string()


def _cell(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if kind == pa.float64():
        return float(value)
    if kind in (pa.int64(), pa.bool_()):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value if isinstance(value, str) else json.dumps(value, default=str, separators=(",", ":"))


def _tell(connection: Connection, to: Path, tier: int, codes: Sequence[str], done: Extracted) -> None:
    """`dictionary.csv` and `manifest.json`: what the files are, of when, of what, and what was left out."""
    with (to / "dictionary.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("type", "field", "meaning", "unit", "terminology", "source"))
        writer.writerows(_dictionary(done.written))
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(to.iterdir())}
    fresh = {site.site: site.last_completed and site.last_completed.isoformat() for site in completeness(connection)}
    if tier > OPEN_TIER:
        fresh = {f"site {number}": when for number, when in enumerate(fresh.values(), start=1)}
    told = {
        "model": "Mainstem outcome model",
        "tier": tier,
        "cohort": list(codes),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "as_of": fresh,
        "records": dict(sorted(done.written.items())),
        "held_back": {name: _of_enough(count) for name, count in sorted(done.held.items())},
        "withdrew_from_research": _of_enough(done.withdrawn),
        "sha256": files,
    }
    (to / "manifest.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    for path in to.iterdir():
        path.chmod(0o600)


def _of_enough(count: int) -> int | str:
    return count if count == 0 or count >= FEWEST else f"1 to {FEWEST - 1}"


def _dictionary(written: Collection[str]) -> Iterator[tuple[str, ...]]:
    for name in sorted(written):
        for key in model_fields(name):
            info = RECORD_TYPES[name].model_fields[key]
            extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
            told = (str(extra.get(each, "")) for each in ("unit", "terminology", "source"))
            yield (name, key, info.description or "", *told)
