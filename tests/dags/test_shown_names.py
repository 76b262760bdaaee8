"""What a mapped task is called in Airflow's pages: never longer than its database takes."""

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
