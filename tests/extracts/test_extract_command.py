"""A research extract: who is in it, what leaves at which tier, what is told beside it, and that families read of it."""

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from services_cases import subject_id
from services_story import NOW, fibrosis, fill, load_events, percentile, person, visit
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from mainstem.commands import app
from services.access.database import AccessDatabase
from services.access.views import Views
from services.home.reading import looked
from services.home.words import languages
from services.registry.database import writing
from services.registry.erasure import erase

PEOPLE = [f"child-{number}" for number in range(14)]


@pytest.fixture
def registry(small_registry: Engine) -> Engine:
    """Fourteen with cystic fibrosis, two others; one was born ninety-five years ago."""
    records = []
    for number, name in enumerate(PEOPLE):
        born = "1931-02-03" if number == 0 else f"20{10 + number % 8}-05-20"
        records += [person(name, site="west", born=born), fibrosis(name, site="west", recorded_date="2018-03-02")]
        records += [visit(name, "2026-03-02", site="west"), percentile(name, "2026-03-02", 40 + number, site="west")]
    records += [person(name, site="west") for name in ("well", "too")]
    fill(small_registry, records, load_events())
    return small_registry


def extract(registry: Engine, folder: Path, *arguments: str) -> Result:
    environment = {
        "MAINSTEM_REGISTRY_URL": str(registry.url),
        "MAINSTEM_ACCESS_URL": f"sqlite:///{folder}/access.db",
    }
    words = ["extract", "--asked", "growth in fibrosis", "--to", str(folder / "out"), *arguments]
    return CliRunner().invoke(app, words, env=environment)


def test_a_cohort_leaves_by_safe_harbour_with_its_dictionary_and_manifest(registry: Engine, tmp_path: Path) -> None:
    """Years alone, none that tells an age of ninety; ids that hold within the extract; others are not in it."""
    done = extract(registry, tmp_path, "--tier", "2", "--cohort", "190905008")
    assert done.exit_code == 0, done.output
    out = tmp_path / "out"
    persons, seen = (
        pq.read_table(out / "person.parquet").to_pylist(),
        pq.read_table(out / "observation.parquet").to_pylist(),
    )
    assert len(persons) == len(PEOPLE)
    born = [row["birth_date"] for row in persons]
    assert born.count(None) == 1
    assert all(year is None or (len(year) == 4 and year.isdigit()) for year in born)
    assert {row["effective_date"] for row in seen} == {"2026"}
    assert {row["subject"] for row in seen} == {row["subject"] for row in persons}
    everything = b"".join(path.read_bytes() for path in out.iterdir() if path.suffix != ".parquet")
    for name in PEOPLE:
        assert subject_id(name).encode() not in everything
        assert subject_id(name) not in {row["subject"] for row in persons}
    assert sorted(row["value"] for row in seen)[0] == 40.0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["records"]["person"] == len(PEOPLE)
    assert manifest["tier"] == 2
    assert "west" not in json.dumps(manifest)
    rows = list(csv.DictReader((out / "dictionary.csv").open()))
    assert {row["type"] for row in rows} == {"person", "condition", "encounter", "observation"}
    assert all(row["meaning"] for row in rows)
    assert {path.stat().st_mode & 0o777 for path in out.iterdir()} == {0o600}


def test_of_a_few_nothing_leaves_and_of_who_is_forgotten_neither(registry: Engine, tmp_path: Path) -> None:
    with writing(registry) as connection:
        erase(connection, [subject_id(name) for name in PEOPLE[:4]], NOW)
    done = extract(registry, tmp_path, "--tier", "2", "--cohort", "190905008")
    assert done.exit_code != 0
    assert "fewer than 11 people" in str(done.exception)
    assert not (tmp_path / "out").exists()
    assert extract(registry, tmp_path, "--tier", "1", "--cohort", "190905008").exit_code == 0
    assert pq.read_table(tmp_path / "out" / "person.parquet").num_rows == len(PEOPLE) - 4


def test_the_disclosure_is_in_the_chain_and_families_read_of_it(registry: Engine, tmp_path: Path) -> None:
    assert extract(registry, tmp_path, "--cohort", "190905008").exit_code == 0
    access = AccessDatabase.open(f"sqlite:///{tmp_path}/access.db")
    views = Views(access)
    assert views.first_broken() is None
    told = looked(views.about(subject_id(PEOPLE[3])), subject_id(PEOPLE[3]), languages()["en"])
    assert [who for _, who, _ in told] == ["A researcher of the network"]
    assert views.about(subject_id("well")) == []
    access.close()


def test_what_cannot_be_is_said_and_nothing_is_written(registry: Engine, tmp_path: Path) -> None:
    assert "no record type weights" in str(extract(registry, tmp_path, "--types", "weights").exception)
    (tmp_path / "out").mkdir()
    assert "is there already" in str(extract(registry, tmp_path).exception)


def test_tier_one_is_the_registry_s_own(registry: Engine, tmp_path: Path) -> None:
    assert extract(registry, tmp_path, "--tier", "1", "--types", "person,observation").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.parquet")) == [
        "observation.parquet",
        "person.parquet",
    ]
    rows = pq.read_table(tmp_path / "out" / "person.parquet").to_pylist()
    assert subject_id("well") in {row["subject"] for row in rows}
    assert "1931-02-03" in {row["birth_date"] for row in rows}
