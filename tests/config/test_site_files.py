"""A folder of site files: each a site of its own, and a broken one nobody else's trouble."""

from collections import Counter
from pathlib import Path

import pytest

from mainstem.config.dag_stubs import faults, stubs, write_stubs
from mainstem.config.site_files import read_site, read_sites
from schemas.errors import OperatorError
from schemas.sites import parse_site, site_keys, start_of

SITE = 'site = "{0}"\nname = "{0}"\ntime_zone = "UTC"\nsubject_key = "env:KEY"\n[files]\nfolder = "."\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("east", "north"):
        (tmp_path / f"{name}.toml").write_text(SITE.format(name))
    return tmp_path


def test_two_files_that_name_one_site_are_refused_by_both_names(folder: Path) -> None:
    """A copied file whose `site` was not changed."""
    assert [file.site.site for file in read_sites(folder)] == ["east", "north"]
    (folder / "west.toml").write_text(SITE.format("north"))
    for reading in (
        lambda: read_site(folder / "north.toml"),
        lambda: read_site(folder / "west.toml"),
        lambda: read_sites(folder),
    ):
        with pytest.raises(OperatorError, match=r"north\.toml.*west\.toml|west\.toml.*north\.toml"):
            reading()
    assert read_site(folder / "east.toml").site.site == "east"
    assert "west.toml" in faults(folder)[0]


def test_a_broken_site_file_takes_no_other_sites_stub_away(folder: Path) -> None:
    """It has a stub too, which says what is wrong."""
    (folder / "north.toml").write_text("site = north\n")
    assert read_site(folder / "east.toml").site.name == "east"
    written = stubs(folder)
    names = [
        "ehr_pull__east.py",
        "ehr_pull__north.py",
        "ehr_replay__east.py",
        "ehr_replay__north.py",
        "network_freshness.py",
    ]
    assert sorted(written) == names
    assert 'site_dag("north")' in written["ehr_pull__north.py"]
    assert len(write_stubs(folder, folder / "dags")) == 5
    (fault,) = faults(folder)
    assert "north.toml" in fault


def test_a_stub_is_named_after_its_file(folder: Path) -> None:
    """Airflow finds the site file by the stub's word, whatever the site is called inside."""
    (folder / "north.toml").rename(folder / "nord.toml")
    assert 'site_dag("nord")' in stubs(folder)["ehr_pull__nord.py"]
    assert 'replay_dag("nord")' in stubs(folder)["ehr_replay__nord.py"]


def test_the_stubs_of_a_site_that_is_gone_go_too(folder: Path) -> None:
    write_stubs(folder, folder / "dags")
    (folder / "north.toml").unlink()
    assert [line for line in write_stubs(folder, folder / "dags") if line.startswith("removed")] == [
        f"removed {folder / 'dags' / name}" for name in ("ehr_pull__north.py", "ehr_replay__north.py")
    ]


def test_sixty_sites_that_name_no_hour_do_not_begin_at_once(tmp_path: Path) -> None:
    """Each at a minute of its own, always the same, at no hour that clocks leave out; what a file says is kept."""
    starts = [start_of(f"site-{number}") for number in range(60)]
    assert starts == [start_of(f"site-{number}") for number in range(60)]
    assert {start.split()[1] for start in starts} == {"3", "4"}
    assert max(Counter(starts).values()) <= 4
    text = 'site = "north"\nname = "N"\ntime_zone = "UTC"\nsubject_key = "env:K"\n[files]\nfolder = "in"\n'
    assert parse_site(text, "north.toml").schedule == start_of("north")
    assert parse_site(f'schedule = "0 2 * * *"\n{text}', "north.toml").schedule == "0 2 * * *"
    with pytest.raises(OperatorError) as broken:
        parse_site(text.replace("UTC", "UCT+1"), "north.toml")
    assert len(broken.value.causes) == 1  # a fault elsewhere is none of the schedule's
    assert ("schedule", "of its own") in {key[:2] for key in site_keys()}
