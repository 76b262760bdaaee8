"""What a site and a mapped task are called in Airflow's pages: never longer than its database takes; and a site that cannot be drawn."""

from pathlib import Path

import pytest

from schemas.outcomes import MAPPED_TYPES

pytest.importorskip("airflow")


def test_names_fit_into_airflows_column_whatever_a_site_reads() -> None:
    """PostgreSQL refuses more than 250 characters, and the task fails by it; SQLite takes them."""
    from dags.site_dag import SHOWN_CHARACTERS, shown_names

    assert SHOWN_CHARACTERS == 250
    assert shown_names([]) == "nothing"
    assert shown_names(["Patient", "Encounter"]) == "Patient, Encounter"
    every = shown_names(list(MAPPED_TYPES))
    assert len(every) <= SHOWN_CHARACTERS
    assert every.startswith(MAPPED_TYPES[0])
    first, _, left = every.partition(" and ")
    assert len(first.split(", ")) + int(left.split()[0]) == len(MAPPED_TYPES)
    assert shown_names(["x" * 300]) == "1 parts"


def test_a_name_that_is_drawn_before_the_task_knows_it_is_empty_and_no_error() -> None:
    """Airflow draws it twice; what it met the first time would be an exception a task, with its frames rewritten."""
    from dags.site_dag import site_dag

    dag = site_dag("-")
    named = [each for each in dag.tasks if each.map_index_template]
    assert {each.task_id for each in named} == {"pull", "map_types"}
    for each in named:
        drawn = dag.get_template_env().from_string(str(each.map_index_template))
        assert drawn.render({}) == ""
        assert drawn.render({"names": "Patient, Encounter"}) == "Patient, Encounter"


@pytest.mark.parametrize("schedule", ["every night", "0 25 * * *"])
def test_a_schedule_that_is_none_is_shown_in_the_place_of_the_dag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schedule: str
) -> None:
    """A site that came by another way than its file's own check."""
    from types import SimpleNamespace

    from dags import declared

    monkeypatch.setattr(declared, "read_site", lambda _: SimpleNamespace(site=SimpleNamespace(schedule=schedule)))
    found = declared.declared(tmp_path / "east.toml")
    assert found.site is None
    assert "schedule: not a cron expression" in str(found.fault)
