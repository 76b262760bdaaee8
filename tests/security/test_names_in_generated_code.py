"""Nothing that somebody else wrote stands in code that we generate: names are one printable line, refused at the site file."""

import ast
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mainstem.commands import app
from mainstem.config.dag_stubs import faults, stubs, write_stubs
from mainstem.config.new_site import Wanted, write_site
from mainstem.config.site_files import read_site
from schemas.errors import OperatorError
from schemas.sites import parse_site

SITE = 'site = "north"\nname = {name}\ntime_zone = "UTC"\nsubject_key = "env:KEY"\n[files]\nfolder = "."\n'
PRINTABLE = {
    "ends the docstring": '"""\nimport os\nos.system("touch /tmp/ran")\n"""'.replace("\n", ";"),
    "a quotation mark": 'St "Mary"',
    "a backslash at the end": "North\\",
    "an escape in a literal": "\\x22\\x22\\x22",
    "braces of a template": "{stem}{0}{name.__class__}",
    "markup": "<img src=x onerror=alert(1)>[/bold]",
    "another script": "Städtisches Klinikum 東京 مستشفى",
}
UNPRINTABLE = {
    "a line break": 'North"""\nimport os\n"""',
    "a carriage return": "North\rSouth",
    "ESC": "North\x1b[2J",
    "BEL": "North\a",
    "C1": "North\x9b2J",
    "NUL": "North\0",
    "right to left": "North\u202ehtroN",
    "a line separator": "North\u2028import os",
    "an invisible space": "North\u200b",
    "a megabyte": "N" * 1_000_000,
    "more than a line": "N" * 101,
    "nothing": "",
}


def site_file(folder: Path, name: str) -> Path:
    path = folder / "north.toml"
    quoted = json.dumps(name, ensure_ascii=False)
    path.write_text(SITE.format(name=quoted.replace("\x7f", "\\u007f")), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", PRINTABLE.values(), ids=PRINTABLE)
def test_a_stub_is_the_same_whatever_a_hospital_calls_itself(name: str, tmp_path: Path) -> None:
    """It holds the site's key alone, so a name neither runs in it nor breaks it."""
    assert read_site(site_file(tmp_path, name)).site.name == name
    written = stubs(tmp_path)["ehr_pull__north.py"]
    assert written == stubs(site_file(tmp_path, "North").parent)["ehr_pull__north.py"]
    doc, imported, assigned = ast.parse(written).body
    assert isinstance(imported, ast.ImportFrom)
    assert ast.unparse(assigned) == "pull, replay = (site_dag('north'), replay_dag('north'))"
    assert name not in ast.unparse(doc)


@pytest.mark.parametrize("name", UNPRINTABLE.values(), ids=UNPRINTABLE)
def test_a_name_that_is_not_one_printable_line_is_refused_at_the_site_file(name: str, tmp_path: Path) -> None:
    """With file, line and key; what stands there is not repeated."""
    path = site_file(tmp_path, name)
    with pytest.raises(OperatorError) as caught:
        read_site(path)
    assert caught.value.cause.startswith(f"{path}:2: name: ")
    assert caught.value.cause.isprintable()
    assert len(caught.value.cause) < 300
    assert "import os" not in caught.value.cause
    assert ast.parse(stubs(tmp_path)["ehr_pull__north.py"])


@pytest.mark.parametrize(
    "line",
    [
        'schedule = "0 2 * * *\\u001b[2J"',
        'code_map = "a\\nb.csv"',
        'types = ["Patient\\u202e"]',
        'time_zone = "UTC\\u0007"',
    ],
)
def test_no_text_of_a_site_file_holds_what_cannot_be_printed(line: str) -> None:
    """Not the name alone: every text goes to some message, header or page."""
    key = line.partition(" ")[0]
    text = "\n".join(kept for kept in SITE.format(name='"N"').splitlines() if not kept.startswith(key))
    with pytest.raises(OperatorError) as caught:
        parse_site(f"{line}\n{text}", "north.toml")
    assert caught.value.cause.startswith(f"north.toml:1: {key}")
    assert caught.value.cause.isprintable()


def test_a_file_whose_name_would_be_code_has_no_stub_and_is_said(tmp_path: Path) -> None:
    """The file's name stands in the stub; one that is more than letters and digits is refused."""
    good = site_file(tmp_path, "North").read_text()
    for name in ('x")#', "a b", "north\nimport os", "-x", "ñ"):
        (tmp_path / f"{name}.toml").write_text(good.replace('"north"', f'"s{abs(hash(name)) % 1000}"'))
    names = ["ehr_pull__north.py", "network_freshness.py"]
    assert sorted(stubs(tmp_path)) == names
    assert sum("has no DAG" in fault for fault in faults(tmp_path)) == 5
    wrote = sorted(line for line in write_stubs(tmp_path, tmp_path / "dags") if "wrote" in line)
    assert wrote == [f"wrote {tmp_path / 'dags' / name}" for name in names]
    said = CliRunner().invoke(app, ["sites", "dags", str(tmp_path), "--to", str(tmp_path / "dags")])
    assert isinstance(said.exception, OperatorError)
    assert all(line.isprintable() for line in said.exception.cause.splitlines())


@pytest.mark.parametrize("name", ["../north", "North", "a/b", 'north"\nschedule = "* * * * *', "", "n" * 32, "-n"])
def test_a_new_site_has_a_key_for_a_name(name: str, tmp_path: Path) -> None:
    """What `sites new` is called with is a file's name and stands in it."""
    with pytest.raises(OperatorError, match="cannot be the name of a site"):
        write_site(Wanted(name, folder=tmp_path, time_zone="UTC"), tmp_path / "sites")
    assert not (tmp_path / "sites").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_quotes_and_backslashes_is_written_as_it_is(tmp_path: Path) -> None:
    """A value given to `sites new` is one value of the file, whatever stands in it."""
    folder = tmp_path / 'de"liv\\u0065ries'
    folder.mkdir()
    path = write_site(Wanted("north", folder=folder, time_zone="UTC"), tmp_path / "sites")
    assert read_site(path).resolve(read_site(path).site.files.folder) == folder.resolve()  # type: ignore[union-attr]
    with pytest.raises(OperatorError, match=r"not valid TOML|printable|IANA"):
        write_site(Wanted("south", folder=folder, time_zone='UTC"\nroad = "bulk'), tmp_path / "sites")


def test_committed_stubs_are_those_of_the_committed_sites() -> None:
    """`make generated` was run."""
    repository = Path(__file__).parents[2]
    for name, text in stubs(repository / "sites").items():
        assert (repository / "dags" / name).read_text() == text
