"""A folder of site files: each a site of its own, and a broken one nobody else's trouble."""

import re
from collections import Counter
from pathlib import Path

import pytest

from mainstem.config.dag_stubs import faults, stubs, write_stubs
from mainstem.config.site_files import read_site, read_sites, require_own_key
from schemas.errors import OperatorError
from schemas.sites import parse_site, site_keys, start_of

SITE = 'site = "{0}"\nname = "{0}"\ntime_zone = "UTC"\nsubject_key = "env:KEY_OF_{0}"\n[files]\nfolder = "."\n'


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


@pytest.mark.parametrize(
    "said",
    [
        "site = 'north' # copied",
        '  site = "north"',
        'site = "nor\\u0074h"',
        'site = """north"""',
        '"site" = "north"',
        'note = """\nsite = "south"\n"""\nsite = "north"',
    ],
)
def test_a_site_that_is_named_otherwise_than_most_write_is_found_as_another_files(folder: Path, said: str) -> None:
    """The quick look at files beside must miss none of what TOML allows, and take none that is broken or says it below a section."""
    other = folder / "west.toml"
    other.write_text(f"{said}\n[files]\nsite = 'no'\n")
    with pytest.raises(OperatorError, match=r"both say site = 'north'"):
        read_site(folder / "north.toml")
    for harmless in (f"{said}\n[files", f"[files]\n{said}\n", f"# {said.splitlines()[0]}\n"):
        other.write_text(harmless)
        assert read_site(folder / "north.toml").site.site == "north"


def test_one_key_of_two_sites_is_found_wherever_it_stands(folder: Path) -> None:
    """By the key itself too, however its file says where it is."""
    (folder / "a.key").write_text("0123456789abcdef")
    (folder / "b.key").write_text("0123456789abcdef")
    text = (folder / "north.toml").read_text()
    (folder / "north.toml").write_text(text.replace("env:KEY_OF_north", "file:a.key"))
    file = read_site(folder / "north.toml")
    require_own_key(file)
    for said in ("file:b.key", "file:a.key", "file:\\u0062.key"):
        (folder / "east.toml").write_text(SITE.format("east").replace("env:KEY_OF_east", said))
        with pytest.raises(OperatorError, match=r"have one subject key"):
            require_own_key(file)


def test_a_broken_site_file_takes_no_other_sites_stub_away(folder: Path) -> None:
    """It has a stub too, which says what is wrong."""
    (folder / "north.toml").write_text("site = north\n")
    assert read_site(folder / "east.toml").site.name == "east"
    written = stubs(folder)
    names = ["ehr_pull__east.py", "ehr_pull__north.py", "network_freshness.py"]
    assert sorted(written) == names
    assert 'site_dag("north")' in written["ehr_pull__north.py"]
    assert len(write_stubs(folder, folder / "dags")) == 3
    (fault,) = faults(folder)
    assert "north.toml" in fault


def test_a_stub_is_named_after_its_file(folder: Path) -> None:
    """Airflow finds the site file by the stub's word, whatever the site is called inside."""
    (folder / "north.toml").rename(folder / "nord.toml")
    assert 'site_dag("nord"), replay_dag("nord")' in stubs(folder)["ehr_pull__nord.py"]


def test_the_stub_of_a_site_that_is_gone_goes_too_and_one_that_held_a_second_dag_apart(folder: Path) -> None:
    """Airflow would have that DAG twice."""
    write_stubs(folder, folder / "dags")
    (folder / "north.toml").unlink()
    (folder / "dags/ehr_replay__north.py").write_text("an older release wrote it")
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


SOUND = 'site = "north"\nname = "North"\ntime_zone = "UTC"\nsubject_key = "file:k"\n[fhir]\nbase_url = "https://ehr.example/fhir"\n'
MISTAKES = {
    "a quotation mark forgotten": ('name = "North\n', "1: not valid TOML: a text is not closed"),
    "three of them": ('name = """North\n', ": not valid TOML: a text is not closed"),
    "none at all": (
        "name = North\n",
        "1: not valid TOML: what stands behind = is no value; a text needs quotation marks",
    ),
    "a key twice": (SOUND.replace("[fhir]", 'name = "South"\n[fhir]'), "5: not valid TOML: a key stands twice"),
    "a section twice": (SOUND + "[fhir]\n", "7: not valid TOML: a section stands twice"),
    "a colon": ("name: North\n", "1: not valid TOML: a colon stands where = belongs"),
    "YAML": ("---\nname: North\n", "1: not valid TOML: --- begins a file of YAML"),
    "a section with a blank": (SOUND + "[fhir auth]\n", "7: not valid TOML: a section's name holds a blank"),
    "a key with a blank": ('time zone = "UTC"\n', "1: not valid TOML: a key holds a blank"),
    "= twice": ('name == "North"\n', "1: not valid TOML: = stands twice"),
    "no value": ("name =\n", "1: not valid TOML: nothing stands behind ="),
    "yes": ("dates_as_midnight_utc = Yes\n", "1: not valid TOML: write true or false"),
    "null": ("code_map = null\n", "1: not valid TOML: what is not known is left out"),
    "a unit": ("[files]\nevery_hours = 24h\n", "2: not valid TOML: a number stands alone"),
    "a list without brackets": ("types = Patient, Condition\n", '1: not valid TOML: a list is written ["one", "two"]'),
    "a comma too few": ('types = ["Patient" "Condition"]\n', "1: not valid TOML: a comma is missing"),
    "a comma too many": ('name = "North",\n', "1: not valid TOML: the line ends with a sign too many"),
    "another comment": ("parallel = 4 // four\n", "1: not valid TOML: a comment begins with #"),
    "an apostrophe": ("name = 'St. Mary's'\n", "1: not valid TOML: an apostrophe ends a text"),
    "quotation marks inside": ('name = "The "Old" One"\n', "1: not valid TOML: a quotation mark inside a text"),
    "no types": (SOUND.replace("[fhir]", "types = []\n[fhir]"), "5: types: must name at least 1"),
    "a type misspelt": (
        SOUND.replace("[fhir]", 'types = ["condition"]\n[fhir]'),
        "5: types: no mapping for 'condition'; did you mean Condition?",
    ),
    "no way to log in": (
        SOUND + '[fhir.auth]\nclient_id = "c"\nsecret = "env:S"\n',
        "7: fhir.auth: secret would not be used: method says how to log in",
    ),
    "a sentence": ("= North\n", "1: not valid TOML: this is neither `key = value` nor a [section]"),
    "a list without end": ('types = ["Patient"', ": not valid TOML: a bracket is not closed"),
    "two on a line": ('name = "North" site = "n"\n', "1: not valid TOML: there is more on the line"),
    "brackets without end": ("types = " + "[" * 5_000, ": not valid TOML: "),
    "a number without end": (SOUND + "page_size = " + "9" * 5_000, ": not valid TOML: "),
    "a number in quotation marks": (SOUND + 'page_size = "big"\n', "7: fhir.page_size: needs a whole number"),
    "a part of one": (SOUND + "page_size = 1.5\n", "7: fhir.page_size: needs a whole number"),
    "none": (SOUND + "page_size = 0\n", "7: fhir.page_size: must be 1 or more"),
    "a word for yes": (SOUND + 'allow_plaintext = "maybe"\n', "7: fhir.allow_plaintext: needs true or false"),
    "a text for a list": (
        SOUND.replace("[fhir]", 'types = "Patient"\n[fhir]'),
        '5: types: needs a list: ["one", "two"]',
    ),
    "a road that is none": (
        SOUND.replace("[fhir]", 'road = "fast"\n[fhir]'),
        "5: road: is one of 'auto', 'search', 'bulk' or 'files'",
    ),
    "a section as a text": (SOUND.split("[fhir]")[0] + 'fhir = "https://ehr.example"\n', "5: fhir: is a section: "),
    "an address without https": (
        SOUND.replace("https://ehr.example/fhir", "ehr.example"),
        "6: fhir.base_url: needs a whole address",
    ),
    "an address of another kind": (SOUND.replace("https://", "ftp://"), "6: fhir.base_url: needs a whole address"),
    "a number for an address": (
        SOUND.replace('"https://ehr.example/fhir"', "3"),
        "6: fhir.base_url: needs an address in",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_file_is_said_in_words_for_who_wrote_it(tmp_path: Path, mistake: str) -> None:
    """With its line; not in a parser's words, and never as a defect of ours."""
    text, words = MISTAKES[mistake]
    path = tmp_path / "north.toml"
    path.write_text(text)
    with pytest.raises(OperatorError) as refused:
        read_site(path)
    assert any(words in cause for cause in refused.value.causes), refused.value.causes
    assert not re.search(r"Input should|\\n|instance of|unable to|column", refused.value.cause)


def test_file_of_a_windows_editor_is_read(tmp_path: Path) -> None:
    """With a mark of byte order before it, and its own ends of lines; in another encoding it is refused as such."""
    path = tmp_path / "north.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SOUND.replace("\n", "\r\n").encode())
    assert read_site(path).site.site == "north"
    path.write_bytes(SOUND.encode("utf-16"))
    with pytest.raises(OperatorError, match="is not UTF-8 text") as refused:
        read_site(path)
    assert "Save it as UTF-8" in refused.value.fix


@pytest.mark.parametrize("schedule", ["every day", "0 25 * * *", "* * *", "", "30 2 * * * # at night"])
def test_schedule_that_nobody_would_keep_is_a_fault_of_the_file(tmp_path: Path, schedule: str) -> None:
    """A DAG of such a one never runs, and nothing would say so before a morning without data."""
    path = tmp_path / "north.toml"
    path.write_text(SOUND.replace("[fhir]", f'schedule = "{schedule}"\n[fhir]'))
    assert any("no cron expression" in fault for fault in faults(tmp_path))
    path.write_text(SOUND.replace("[fhir]", 'schedule = "30 2 * * 1-5"\n[fhir]'))
    assert faults(tmp_path) == []


def test_a_type_that_is_named_twice_is_read_once() -> None:
    text = SOUND.replace("[fhir]", 'types = ["Patient", "Condition", "Patient"]\n[fhir]')
    assert parse_site(text, "north.toml").types == ["Patient", "Condition"]
