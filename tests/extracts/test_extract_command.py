"""A research extract: asked and approved, who is in it, what leaves at which tier and in which form, and that families read of it."""

import csv
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from services_cases import record_id, subject_id
from services_story import NOW, fibrosis, fill, load_events, percentile, person, visit
from sqlalchemy import Engine, select
from typer.testing import CliRunner, Result

from mainstem.commands import app
from mainstem.consumer.subjects import FoundSubject, Subjects, metadata
from schemas.errors import OperatorError
from schemas.outcomes import Coverage
from schemas.subjects import SubjectEvent
from services.access.database import AccessDatabase
from services.access.views import Views
from services.home.reading import looked, studies
from services.home.words import languages
from services.measures.cells import suppressed
from services.registry.database import open_registry, reading, writing
from services.registry.erasure import GROUP, erase
from services.registry.tables import RECORD_TABLES
from services.research.counting import BUDGET, Answer, count
from services.research.omop import KINDS, tables
from services.research.reckoned import tells_of_few
from services.research.requests import answer, ask, requests, tell_result

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


def asked(registry: Engine, *cohort: str, tier: int = 2, form: str = "ocdm", sites: tuple[str, ...] = ("west",)) -> str:
    """A request that these sites approved."""
    with writing(registry) as connection:
        ident = ask(connection, form, tier, cohort, "Do children with fibrosis grow?", by="r", at=NOW)
        for site in sites:
            answer(connection, ident, site, yes=True, by="t", at=NOW)
    return ident


def extract(registry: Engine, folder: Path, request: str, *arguments: str, form: str = "ocdm") -> Result:
    environment = {
        "MAINSTEM_REGISTRY_URL": str(registry.url),
        "MAINSTEM_ACCESS_URL": f"sqlite:///{folder}/access.db",
    }
    words = ["extract", form, "--request", request, "--to", str(folder / "out"), *arguments]
    return CliRunner().invoke(app, words, env=environment)


def test_a_cohort_leaves_by_safe_harbour_with_its_dictionary_and_manifest(registry: Engine, tmp_path: Path) -> None:
    """Years alone, none that tells an age of ninety; ids that hold within the extract; others are not in it."""
    done = extract(registry, tmp_path, asked(registry, "190905008"))
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
    leaves = {(row["type"], row["field"]): row["leaves"] for row in rows}
    assert leaves["person", "birth_date"] == "the year; none that tells an age over 89"
    assert leaves["person", "zip5"].startswith("three digits")
    assert leaves["observation", "subject"] == "an id of this extract alone"
    assert leaves["observation", "value"] == "as the registry has it"
    assert leaves["encounter", "start"] == "nothing"
    assert {path.stat().st_mode & 0o777 for path in out.iterdir()} == {0o600}


def test_of_a_few_nothing_leaves_and_of_who_is_forgotten_neither(registry: Engine, tmp_path: Path) -> None:
    with writing(registry) as connection:
        erase(connection, [subject_id(name) for name in PEOPLE[:4]], NOW)
    done = extract(registry, tmp_path, asked(registry, "190905008"))
    assert done.exit_code != 0
    assert "fewer than 11 people" in str(done.exception)
    assert not (tmp_path / "out").exists()
    assert extract(registry, tmp_path, asked(registry, "190905008", tier=1)).exit_code == 0
    assert pq.read_table(tmp_path / "out" / "person.parquet").num_rows == len(PEOPLE) - 4


def test_who_withdrew_from_research_alone_is_in_no_extract_and_in_all_else(registry: Engine, tmp_path: Path) -> None:
    """By the site's word on the stream; the registry holds them, and counts them, as before; who permits it again is in the next one."""
    left = Subjects(GROUP)

    def said(sequence: int, *withdrawn: str) -> None:
        with registry.begin() as connection:
            metadata.create_all(connection)
            for name in PEOPLE[:2]:
                event = SubjectEvent.model_validate(
                    {
                        "event": "withdrawn" if withdrawn else "given",
                        "subject": subject_id(name),
                        "site": "west",
                        "sequence": sequence,
                        "at": NOW,
                        "withdrawn": list(withdrawn),
                    }
                )
                left.take(connection, [FoundSubject(event, 1, None)])

    def extracted(name: str) -> set[str]:
        folder = tmp_path / name
        folder.mkdir()
        assert extract(registry, folder, asked(registry, "190905008", tier=1)).exit_code == 0
        return set(pq.read_table(folder / "out" / "person.parquet").column("subject").to_pylist())

    assert len(extracted("before")) == len(PEOPLE)
    said(1, "research")
    assert len(extracted("without")) == len(PEOPLE) - 2
    with reading(registry) as connection:
        held = set(connection.scalars(select(RECORD_TABLES["person"].c.subject)))
    assert {subject_id(name) for name in PEOPLE} <= held
    said(2)
    assert len(extracted("again")) == len(PEOPLE)


def test_the_disclosure_is_in_the_chain_and_families_read_of_it(registry: Engine, tmp_path: Path) -> None:
    request = asked(registry, "190905008")
    assert extract(registry, tmp_path, request).exit_code == 0
    access = AccessDatabase.open(f"sqlite:///{tmp_path}/access.db")
    views = Views(access)
    assert views.first_broken() is None
    told = looked(views.about(subject_id(PEOPLE[3])), subject_id(PEOPLE[3]), languages()["en"])
    assert [who for _, who, _ in told] == ["A researcher of the network"]
    assert views.about(subject_id("well")) == []
    with writing(registry) as connection:
        with pytest.raises(OperatorError, match="somebody else"):
            tell_result(connection, request, "They do", by="another")
        tell_result(connection, request, "They do, when they eat more", by="r")
        (study,) = studies(requests(connection), views.about(subject_id(PEOPLE[3])))
        (other,) = studies(requests(connection), views.about(subject_id("well")))
    assert (study.purpose, study.result) == ("Do children with fibrosis grow?", "They do, when they eat more")
    assert study.given is not None
    assert other.given is None
    access.close()


def test_what_cannot_be_is_said_and_nothing_is_written(registry: Engine, tmp_path: Path) -> None:
    request = asked(registry, "190905008")
    assert "no record type weights" in str(extract(registry, tmp_path, request, "--types", "weights").exception)
    assert "no such request" in str(extract(registry, tmp_path, "f" * 32).exception)
    assert "no site has approved" in str(extract(registry, tmp_path, asked(registry, sites=())).exception)
    for other in (["--tier", "1"], ["--cohort", "K50"]):
        assert "the request is for ocdm at tier 2, cohort 190905008" in str(
            extract(registry, tmp_path, request, *other).exception
        )
    assert "the request is for ocdm" in str(extract(registry, tmp_path, request, form="omop").exception)
    omop = asked(registry, form="omop")
    assert "whole dates" in str(extract(registry, tmp_path, omop, form="omop").exception)
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    assert "is there already" in str(extract(registry, tmp_path, request).exception)


def test_nothing_leaves_of_a_site_that_did_not_approve(registry: Engine, tmp_path: Path) -> None:
    """Nor where it took its word back."""
    fill(registry, [person(f"east-{number}", site="east") for number in range(12)])
    request = asked(registry, tier=1)
    assert extract(registry, tmp_path, request, "--types", "person").exit_code == 0
    rows = pq.read_table(tmp_path / "out" / "person.parquet").to_pylist()
    assert {row["site"] for row in rows} == {"west"}
    with writing(registry) as connection:
        answer(connection, request, "west", yes=False, by="t", at=NOW)
    assert "no site has approved" in str(extract(registry, tmp_path / "again", request).exception)


def test_dates_are_moved_by_as_many_days_for_all_of_a_person(registry: Engine, tmp_path: Path) -> None:
    """Spans hold, days do not; of somebody older than eighty-nine the birth does not leave."""
    request = asked(registry, "190905008")
    assert extract(registry, tmp_path, request, "--dates", "shift", "--duckdb").exit_code == 0
    born = {row["subject"]: row["birth_date"] for row in pq.read_table(tmp_path / "out" / "person.parquet").to_pylist()}
    seen = pq.read_table(tmp_path / "out" / "observation.parquet").to_pylist()
    visits = pq.read_table(tmp_path / "out" / "encounter.parquet").to_pylist()
    days = {row["subject"]: date.fromisoformat(row["effective_date"]) for row in seen}
    assert {row["subject"]: date.fromisoformat(row["start_date"]) for row in visits} == days
    moves = {(date(2026, 3, 2) - day).days for day in days.values()}
    assert all(1 <= move <= 365 for move in moves)
    assert len(moves) > len(PEOPLE) // 2
    assert list(born.values()).count(None) == 1
    ages = {(days[subject] - date.fromisoformat(day)).days for subject, day in born.items() if day}
    assert ages == {(date(2026, 3, 2) - date(2010 + year, 5, 20)).days for year in range(8)}
    import duckdb

    with duckdb.connect(str(tmp_path / "out" / "extract.duckdb"), read_only=True) as database:
        assert database.execute("select count(*) from observation").fetchone() == (len(PEOPLE),)


def test_many_extracts_tell_no_more_of_a_day_than_one(registry: Engine, tmp_path: Path) -> None:
    """Each moves a person's dates by the same, under other ids: the latest of them is no nearer to the true day."""
    request, told = asked(registry, "190905008"), []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        assert extract(registry, tmp_path / name, request, "--dates", "shift").exit_code == 0
        rows = pq.read_table(tmp_path / name / "out" / "observation.parquet").to_pylist()
        told.append(({row["value"]: row["effective_date"] for row in rows}, {row["subject"] for row in rows}))
    assert told[0][0] == told[1][0]
    assert len(told[0][0]) == len(PEOPLE)
    assert not told[0][1] & told[1][1]


@pytest.mark.parametrize("tier", [1, 2])
def test_omop_has_the_structure_that_ohdsi_asks_for(registry: Engine, tmp_path: Path, tier: int) -> None:
    """Every field in its place, none empty that is required, no text too long, every person known, no span backwards."""
    request = asked(registry, "190905008", tier=tier, form="omop")
    done = extract(registry, tmp_path, request, "--dates", "shift", form="omop")
    assert done.exit_code == 0, done.output
    found = {name: pq.read_table(tmp_path / "out" / f"{name}.parquet") for name in tables()}
    persons = set(found["person"].column("person_id").to_pylist())
    for name, fields in tables().items():
        table = found[name]
        assert table.column_names == [each.name for each in fields], name
        for each in fields:
            values = table.column(each.name).to_pylist()
            assert not (each.required and None in values), (name, each.name)
            assert each.longest is None or all(len(value) <= each.longest for value in values if value is not None)
            assert table.schema.field(each.name).type == KINDS.get(each.type, pa.string())
        if "person_id" in table.column_names:
            assert set(table.column("person_id").to_pylist()) <= persons, name
        if f"{name}_id" in table.column_names:
            assert table.column(f"{name}_id").to_pylist() == list(range(1, table.num_rows + 1)), name
    rows = {name: table.num_rows for name, table in found.items()}
    assert (
        rows["person"] == rows["condition_occurrence"] == rows["measurement"] == rows["visit_occurrence"] == len(PEOPLE)
    )
    (condition,) = {row["condition_source_value"] for row in found["condition_occurrence"].to_pylist()}
    assert condition == "190905008"
    assert found["measurement"].to_pylist()[0]["unit_source_value"] == "%"
    for row in found["observation_period"].to_pylist():
        assert row["observation_period_start_date"] <= row["observation_period_end_date"]
    years = sorted(found["person"].column("year_of_birth").to_pylist())
    assert years[0] == (1931 if tier == 1 else datetime.now(UTC).year - 90)
    names = found["person"].column("person_source_value").to_pylist()
    assert (subject_id(PEOPLE[1]) in names) is (tier == 1)


def test_who_pays_is_a_payer_plan_period(registry: Engine, tmp_path: Path) -> None:
    """By the typology's group; one that goes on is known up to the last event; what was cancelled is none, and a payer is no event."""
    periods = [
        {"payer": "2", "start_date": "2020-01-01", "status": "active"},
        {"payer": "5", "start_date": "2012-01-01", "end_date": "2019-12-31"},
        {"payer": "5", "start_date": "2012-01-01", "status": "cancelled"},
        {"payer": "9"},
    ]
    whose = {"subject": subject_id(PEOPLE[1]), "site": "west"}
    fill(
        registry,
        [
            Coverage.model_validate({"id": record_id(f"w{number}"), **whose, **period})
            for number, period in enumerate(periods)
        ],
    )
    done = extract(registry, tmp_path, asked(registry, "190905008", tier=1, form="omop"), form="omop")
    assert done.exit_code == 0, done.output
    found = pq.read_table(tmp_path / "out" / "payer_plan_period.parquet").to_pylist()
    told = [
        (row["payer_source_value"], row["payer_plan_period_start_date"], row["payer_plan_period_end_date"])
        for row in found
    ]
    assert sorted(told) == [
        ("2", date(2020, 1, 1), date(2026, 3, 2)),
        ("5", date(2012, 1, 1), date(2019, 12, 31)),
    ]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["held_back"]["payer_plan_period"] == "1 to 10"
    (span,) = {
        row["observation_period_start_date"].year
        for row in pq.read_table(tmp_path / "out" / "observation_period.parquet").to_pylist()
        if row["person_id"] == found[0]["person_id"]
    }
    assert span == 2018


def test_tier_three_holds_counts_alone_and_none_of_a_few(registry: Engine, tmp_path: Path) -> None:
    girls = [person(name, site="west").model_copy(update={"sex": "female"}) for name in PEOPLE[:12]]
    fill(registry, [each.model_copy(update={"id": record_id(f"girl{n}")}) for n, each in enumerate(girls)])
    request = asked(registry, "190905008", tier=3)
    assert extract(registry, tmp_path, request).exit_code == 0
    rows = pq.read_table(tmp_path / "out" / "counts.parquet").to_pylist()
    assert {row["persons"] for row in rows if row["persons"] is not None} <= set(range(11, len(PEOPLE) + 1)) | {0}
    assert {row["field"] for row in rows if row["type"] == "condition"} >= {"code"}
    sexes = {row["value"]: row["persons"] for row in rows if row["field"] == "sex"}
    assert sexes == {"female": None, "(not told)": None}, "two without it would be told by the twelve that have it"
    everything = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    assert not [name for name in PEOPLE if subject_id(name).encode() in everything]
    again = extract(registry, tmp_path, request, "--to", str(tmp_path / "again"))
    assert "would tell of those who came since" in str(again.exception)
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"a": 40, "b": 3, "c": 12}, {"a": 40, "b": None, "c": None}),
        ({"a": 40, "b": 3, "c": 9}, {"a": 40, "b": None, "c": None}),
        ({"a": 40, "b": 3, "c": 2, "d": 30}, {"a": 40, "b": None, "c": None, "d": None}),
        ({"a": 40, "b": 0, "c": 11}, {"a": 40, "b": 0, "c": 11}),
        ({"a": 3}, {"a": None}),
    ],
)
def test_small_cells_are_hidden_and_another_with_one(cells: dict[str, int], told: dict[str, int | None]) -> None:
    assert suppressed(cells) == told


def test_counts_of_cohorts_stay_within_a_budget_and_tell_of_nobody(registry: Engine) -> None:
    """The same again is the same and costs nothing; what differs from another by a few is refused, whoever asked that one."""
    extra = [fibrosis("well", site="west", code="233604007"), fibrosis("too", site="west", code="233604007")]
    fill(registry, [each.model_copy(update={"id": record_id(f"e{n}")}) for n, each in enumerate(extra)])
    with writing(registry) as connection:
        first = count(connection, ["190905008"], by="one", at=NOW)
        assert (first.persons, first.left) == (len(PEOPLE), BUDGET - 1)
        assert count(connection, ["190905008", "190905008"], by="one", at=NOW) == first
        assert count(connection, ["233604007"], by="one", at=NOW).persons is None
        for by in ("one", "two"):
            with pytest.raises(OperatorError, match="would tell of a few"):
                count(connection, ["190905008", "233604007"], by=by, at=NOW)
            with pytest.raises(OperatorError, match="would tell of a few"):
                count(connection, [], by=by, at=NOW)
        for number in range(BUDGET - 2):
            count(connection, [str(10_000 + number)], by="one", at=NOW)
        with pytest.raises(OperatorError, match="questions were asked"):
            count(connection, ["99999"], by="one", at=NOW)
        assert count(connection, ["99999"], by="one", at=NOW + timedelta(days=31)).left == BUDGET - 1


def several(registry: Engine, cohort: str, names: Iterable[str], *, sex: str | None = None) -> None:
    """People of a cohort by its code, all of one sex."""
    for name in names:
        known = person(name, site="west").model_copy(update={"id": record_id(f"p{name}"), "sex": sex})
        ill = fibrosis(name, site="west", code=cohort).model_copy(update={"id": record_id(f"{cohort}{name}")})
        fill(registry, [known, ill])


def test_those_in_two_cohorts_are_not_reckoned_from_three_answers(small_registry: Engine) -> None:
    """Two and their union tell how many are in both: whichever of the three is asked last is refused where those are a few."""
    several(small_registry, "11111", map(str, range(30)))
    several(small_registry, "22222", map(str, range(27, 60)))
    three = (["11111"], ["22222"], ["11111", "22222"])
    for last in range(3):
        with small_registry.connect() as connection:
            for codes in [*three[:last], *three[last + 1 :]]:
                assert count(connection, codes, by="one", at=NOW).persons is not None
            with pytest.raises(OperatorError, match="would tell of a few"):
                count(connection, three[last], by="two", at=NOW)
            connection.rollback()


A, B, C = ({*range(first, last)} for first, last in ((0, 40), (30, 70), (62, 90)))
OVERLAPPING = [A, B, C, A | B, B | C, A | C, A | B | C]
THREE = [{*range(0, 20), 90, 91}, {*range(20, 40), 90, 91}, {*range(40, 60), 90, 91}]


@pytest.mark.parametrize(
    ("cohorts", "tells"),
    [
        ([A, B], False),
        ([A, B, A | B], False),
        (OVERLAPPING[:4], False),
        (OVERLAPPING, False),
        ([A, {*A, 99}], True),
        ([THREE[0], THREE[1], THREE[2], set().union(*THREE)], True),
        ([THREE[0] | THREE[1], THREE[1] | THREE[2], THREE[0] | THREE[2], set().union(*THREE)], True),
        ([THREE[0], THREE[1], THREE[0] | THREE[1]], True),
        ([{1, 2, *range(10, 30)}, {1, 3, *range(30, 50)}, {2, 3, *range(10, 50)}], True),
        ([A, {*A, 99}, {*range(200, 240)}], False),
        ([], False),
        ([A], False),
    ],
)
def test_no_sum_or_difference_of_answers_is_of_a_few(cohorts: list[set[int]], tells: bool) -> None:
    """Three that overlap one another, asked with their unions, would tell how many are in all; whoever is asked of last."""
    numbers = [{*map(str, each)} for each in cohorts]
    assert tells_of_few(numbers[:-1], numbers[-1:], 5) is tells


@pytest.mark.parametrize("last", range(3))
def test_a_union_by_other_codes_is_a_union(small_registry: Engine, last: int) -> None:
    """Everybody of the two has a third code: asked by it, the number of those in both would follow all the same."""
    several(small_registry, "11111", map(str, range(30)))
    several(small_registry, "22222", map(str, range(27, 60)))
    several(small_registry, "33333", map(str, range(60)))
    three = [["11111"], ["22222"], ["33333"]]
    asked_last = three.pop(last)
    with small_registry.begin() as connection:
        for codes in three:
            assert count(connection, codes, by="one", at=NOW).persons is not None
        with pytest.raises(OperatorError, match="would tell of a few"):
            count(connection, asked_last, by="two", at=NOW)


def test_a_count_waits_for_one_that_is_not_told_yet(postgres_url: str) -> None:
    """Asked at the same moment, in two windows: they are compared all the same, as on SQLite, which has one writer."""
    registry = open_registry(postgres_url)
    several(registry, "11111", map(str, range(20)))
    several(registry, "22222", map(str, range(22)))

    def second() -> Answer:
        with writing(registry) as connection:
            return count(connection, ["22222"], by="two", at=NOW)

    with ThreadPoolExecutor() as pool:
        with writing(registry) as connection:
            assert count(connection, ["11111"], by="one", at=NOW).persons == 20
            asked = pool.submit(second)
            assert wait([asked], 0.5).done == set()
        with pytest.raises(OperatorError, match="would tell of a few"):
            asked.result()
    registry.dispose()


def test_a_table_is_left_out_where_its_cells_would_tell_of_a_few(small_registry: Engine) -> None:
    """Twenty are beside the smaller cohort, and one of them is a man: the totals are told, the sexes of the second answer are not."""
    several(small_registry, "11111", map(str, range(30)), sex="female")
    several(small_registry, "11111", map(str, range(30, 45)), sex="male")
    several(small_registry, "22222", map(str, range(100, 119)), sex="female")
    several(small_registry, "22222", ["119"], sex="male")
    with writing(small_registry) as connection:
        assert count(connection, ["11111"], by="one", at=NOW).sexes == {"female": 30, "male": 15}
        both = count(connection, ["11111", "22222"], by="two", at=NOW)
    assert (both.persons, both.sexes) == (65, {})


def test_a_total_is_refused_that_tells_of_a_few_beside_a_table(small_registry: Engine) -> None:
    """All but three of the women of a cohort have another condition, which only women have."""
    several(small_registry, "11111", map(str, range(30)), sex="female")
    several(small_registry, "11111", map(str, range(30, 45)), sex="male")
    several(small_registry, "22222", map(str, range(27)), sex="female")
    with writing(small_registry) as connection:
        assert count(connection, ["11111"], by="one", at=NOW).sexes == {"female": 30, "male": 15}
        with pytest.raises(OperatorError, match="would tell of a few"):
            count(connection, ["22222"], by="two", at=NOW)


def test_a_table_is_compared_with_all_others_at_once(small_registry: Engine) -> None:
    """Of three cohorts and of all who are in any, two women are in each: four tables would tell it, the totals and three do not."""
    for cohort in ("11111", "22222", "33333"):
        own = [f"{cohort}-{number}" for number in range(20)]
        for code in (cohort, "44444"):
            several(small_registry, code, [*own, "both", "too"], sex="female")
            men = [f"{who}-{number}" for who in ("man", f"{cohort}-man") for number in range(15)]
            several(small_registry, code, men, sex="male")
    with writing(small_registry) as connection:
        for code in ("11111", "22222", "33333"):
            assert count(connection, [code], by="one", at=NOW).sexes == {"female": 22, "male": 30}
        last = count(connection, ["44444"], by="two", at=NOW)
    assert (last.persons, last.sexes) == (122, {})


def test_no_more_cohorts_are_told_than_are_compared(small_registry: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for one more waits until an answer is thirty days old."""
    monkeypatch.setattr("services.research.counting.MOST", 1)
    several(small_registry, "11111", map(str, range(30)))
    several(small_registry, "22222", map(str, range(30, 60)))
    with writing(small_registry) as connection:
        count(connection, ["11111"], by="one", at=NOW)
        with pytest.raises(OperatorError, match="1 cohorts were told"):
            count(connection, ["22222"], by="two", at=NOW)
        assert count(connection, ["22222"], by="two", at=NOW + timedelta(days=31)).persons == 30


def test_who_came_since_is_not_told_by_asking_again(small_registry: Engine) -> None:
    """The same question is answered as before within thirty days, whoever asks; it costs each of them one."""
    several(small_registry, "11111", map(str, range(30)))
    with writing(small_registry) as connection:
        first = count(connection, ["11111"], by="one", at=NOW)
    several(small_registry, "11111", ["new"])
    with writing(small_registry) as connection:
        for by in ("one", "two"):
            again = count(connection, ["11111"], by=by, at=NOW + timedelta(days=1))
            assert (again.persons, again.left) == (first.persons, BUDGET - 1)


def test_tier_one_is_the_registry_s_own(registry: Engine, tmp_path: Path) -> None:
    assert extract(registry, tmp_path, asked(registry, tier=1), "--types", "person,observation").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.parquet")) == [
        "observation.parquet",
        "person.parquet",
    ]
    rows = pq.read_table(tmp_path / "out" / "person.parquet").to_pylist()
    assert subject_id("well") in {row["subject"] for row in rows}
    assert "1931-02-03" in {row["birth_date"] for row in rows}
