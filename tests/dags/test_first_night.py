"""When a site that Airflow meets for the first time is read."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

pytest.importorskip("airflow")


def test_a_new_site_is_read_in_its_next_night_however_short_ago_the_last_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the scheduler reads it, from what the DAG file's process wrote down."""
    from airflow.serialization.decoders import decode_timetable
    from airflow.serialization.encoders import encode_timetable
    from airflow.timetables.base import TimeRestriction

    from dags.site_dag import site_dag

    now = datetime.now(UTC)
    just_now = now - timedelta(minutes=3)
    (tmp_path / "new.toml").write_text(
        'site = "new"\nname = "New"\ntime_zone = "UTC"\nsubject_key = "env:KEY"\nroad = "files"\n'
        f'schedule = "{just_now.minute} {just_now.hour} * * *"\n[files]\nfolder = "in"\n'
    )
    monkeypatch.setenv("MAINSTEM_SITES", str(tmp_path))
    timetable = decode_timetable(encode_timetable(site_dag("new").timetable))
    first = timetable.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(None, None, False)
    )
    assert first is not None
    assert first.run_after > now + timedelta(hours=23)
