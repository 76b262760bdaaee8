"""A research extract: the current records of a cohort at the sites that approved, a page at a time, as they leave at a tier; and as
Parquet files, a type a file, with a dictionary and what was left out.

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
Moved = Callable[[str, int], object]
FEWEST = 11
"""A cohort or a count of fewer is not told: cells of 1 to 10 (CMS's cell size suppression policy)."""
PAGE = 8_000
OPEN_TIER = 1
"""The registry's own: nothing is made coarse, so no cohort is too small for whoever may see it anyway."""
COLUMNS = ("type", "field", "meaning", "unit", "terminology", "source", "leaves")
"""Of the dictionary; `leaves`: in which form a field leaves at this tier."""
CENTRE = "centre"
"""The network's own site: what its records say of a person goes with the person's site."""


@dataclass(frozen=True)
class Wanted:
    """What is extracted."""

    tier: int
    sites: Collection[str]
    """Those that approved: nothing leaves of another's patients."""
    types: Collection[str]
    codes: Sequence[str]
    at_tier: AtTier
    leaves: Callable[[str, str], str] = lambda _type, _field: ""
    """What leaves of a field of a record type, in words for the dictionary."""


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


@dataclass(frozen=True)
class People:
    """Whom it is about."""

    born: Mapping[str, str | None]
    """Everybody whom the approving sites know, with their date of birth."""
    cohort: frozenset[str] | None
    closed: frozenset[str]
    """Of whom nothing leaves."""

    def has(self, subject: str) -> bool:
        """Whether somebody is among them."""
        return subject not in self.closed and (self.cohort is None or subject in self.cohort)

    @property
    def count(self) -> int:
        """How many."""
        return sum(1 for subject in self.born if self.has(subject))


def cohort_of(connection: Connection, codes: Sequence[str], *, among: str = "") -> frozenset[str] | None:
    """Persons with a condition that is one of these codes (SNOMED CT, or an ICD-10-CM category); everybody where there is none. `among`: of
    this subject alone."""
    if not codes:
        return None
    row = RECORD_TABLES["condition"].c
    asked = [or_(row.code == code, row.icd10cm == code, row.icd10cm.startswith(f"{code}.")) for code in codes]
    doubted = row.verification_status.in_(("refuted", "entered-in-error"))
    query = select(row.subject).where(or_(*asked), or_(row.verification_status.is_(None), ~doubted))
    if among:
        query = query.where(row.subject == among)
    return frozenset(connection.scalars(query.distinct()))


def people_of(connection: Connection, wanted: Wanted) -> People:
    """Raises OperatorError for too few."""
    person = RECORD_TABLES["person"].c
    query = select(person.subject, person.birth_date).where(person.site.in_(sorted(wanted.sites)))
    born = {row.subject: row.birth_date for row in connection.execute(query)}
    found = People(born, cohort_of(connection, wanted.codes), not_extracted(connection))
    if wanted.tier > OPEN_TIER and found.count < FEWEST:
        raise OperatorError(
            f"fewer than {FEWEST} people belong to this cohort", "Ask for a wider one: so few could be told apart."
        )
    return found


def leaving(
    connection: Connection, wanted: Wanted, people: People, name: str, done: Extracted, moved: Moved
) -> Iterator[list[tuple[str, Mapping[str, Any]]]]:
    """What leaves of a type, page by page: subject (never to be written) and record. Memory holds a page, whatever their number."""
    fields, seen = model_fields(name), 0
    for page in pages_of(connection, Asked(name, limit=PAGE)):
        leaves = []
        for row in page.records:
            subject, site = row["subject"], row.get("site")
            if not people.has(subject) or not (site in wanted.sites or (site == CENTRE and subject in people.born)):
                continue
            record = {key: row[key] for key in fields if row.get(key) is not None} | {"type": name}
            told = wanted.at_tier(record, people.born.get(subject))
            if told and told.keys() - {"type"}:
                leaves.append((subject, told))
            else:
                done.held[name] += 1
        yield leaves
        seen += len(page.records)
        moved(name, seen)


def extract(
    connection: Connection, to: Path, wanted: Wanted, *, moved: Moved = lambda name, records: None
) -> Extracted:
    """Writes the files in our own model. Raises OperatorError for a cohort of too few."""
    people, done = people_of(connection, wanted), Extracted()
    done.withdrawn = withdrawn_of(people)
    to.mkdir(parents=True, mode=0o700)
    for name in wanted.types:
        schema = _schema(name)
        with pq.ParquetWriter(to / f"{name}.parquet", schema, compression="zstd") as writer:
            for leaves in leaving(connection, wanted, people, name, done, moved):
                rows = [
                    {key: _cell(told.get(key), schema.field(key).type) for key in schema.names} for _, told in leaves
                ]
                if rows:
                    writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                    done.written[name] += len(rows)
                    done.subjects.update(subject for subject, _ in leaves)
    tell(connection, to, wanted, done, "Mainstem outcome model", _dictionary(done.written, wanted))
    return done


def withdrawn_of(people: People) -> int:
    """How many of the cohort are left out by their own word."""
    here = people.closed & people.born.keys()
    return len(here if people.cohort is None else here & people.cohort)


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


def tell(
    connection: Connection, to: Path, wanted: Wanted, done: Extracted, model: str, dictionary: Iterator[tuple[str, ...]]
) -> None:
    """`dictionary.csv` and `manifest.json`: what the files are, of when, of what, and what was left out."""
    with (to / "dictionary.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((*row, *[""] * (len(COLUMNS) - len(row))) for row in dictionary)
    files = {path.name: _sha256(path) for path in sorted(to.iterdir())}
    fresh = {site.site: site.last_completed and site.last_completed.isoformat() for site in completeness(connection)}
    fresh = {site: when for site, when in fresh.items() if site in wanted.sites}
    if wanted.tier > OPEN_TIER:
        fresh = {f"site {number}": when for number, when in enumerate(fresh.values(), start=1)}
    told = {
        "model": model,
        "tier": wanted.tier,
        "cohort": list(wanted.codes),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "as_of": fresh,
        "records": dict(sorted(done.written.items())),
        "held_back": {name: _of_enough(count) for name, count in sorted(done.held.items())},
        "people": _of_enough(len(done.subjects)) if wanted.tier > OPEN_TIER else len(done.subjects),
        "withdrew_from_research": _of_enough(done.withdrawn),
        "sha256": files,
    }
    (to / "manifest.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    for path in to.iterdir():
        path.chmod(0o600)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _of_enough(count: int) -> int | str:
    return count if count == 0 or count >= FEWEST else f"1 to {FEWEST - 1}"


def _dictionary(written: Collection[str], wanted: Wanted) -> Iterator[tuple[str, ...]]:
    for name in sorted(written):
        for key in model_fields(name):
            info = RECORD_TYPES[name].model_fields[key]
            extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
            told = (str(extra.get(each, "")) for each in ("unit", "terminology", "source"))
            yield (name, key, info.description or "", *told, wanted.leaves(name, key))
