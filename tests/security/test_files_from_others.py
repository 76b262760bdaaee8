"""Files that people were given (a table, cases of a measure, value sets): none ends a command by a traceback or leads out; and those they mail on."""

import json
import stat
from pathlib import Path

import pytest

from mainstem.check import Finding
from mainstem.commands.charts.columns import read_rows
from mainstem.commands.check.page import write_page
from mainstem.commands.codes.checking import check_file
from mainstem.commands.derive.files import answers
from mainstem.commands.derive.references import REFERENCES
from mainstem.commands.quality.told import findings_to
from mainstem.commands.sites.packet import Page
from mainstem.commands.terminal import write_file
from mainstem.config.site_mapper import read_code_map
from mainstem.refresh.ascertain import read_list
from schemas.errors import OperatorError
from schemas.given_files import MOST_BYTES
from services.measures.valuesets import load_value_sets
from services.measures.verify import read_cases
from transforms.quality import Found

DEEP = b"[" * 200_000
TABLES = {
    "NUL": b"a,\0b\n1,\0\n",
    "deep": DEEP,
    "no UTF-8": b"caf\xe9,b\n1,2\n",
    "UTF-16": "site,value\nn,1\n".encode("utf-16"),
    "three megabytes in a cell": b"site,value,patient,month\n" + b"x" * 3_000_000 + b",1,1,1\n",
    "an open quote": b'site,value\n"n,1\n',
    "escape sequences": b"site,value,patient,month\n\x1b[2J,[/bold],\x1b[31m,1\n",
    "no numbers": b"site,value,patient,month\nn,1e999,nan,0001-13\n",
    "empty": b"",
}


@pytest.fixture(params=TABLES)
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "given.csv"
    path.write_bytes(TABLES[request.param])
    return path


def test_a_table_is_read_or_refused_with_what_to_do(table: Path) -> None:
    """For a chart, for a reference, as a list of patients, as a code map; and what is shown of it steers nothing."""
    readers = [
        lambda: [row.number("value") for row in read_rows(table, ["site", "value"], "a chart")],
        *(lambda made=made: list(answers(made, table, lambda _line: None)) for made in REFERENCES.values()),
        lambda: read_list(table),
        lambda: read_code_map(table),
        lambda: check_file(table),
    ]
    for read in readers:
        with pytest.raises(OperatorError) as refused:
            read()
        assert refused.value.fix


def test_a_table_that_is_held_whole_is_of_a_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "given.csv"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    for read in (lambda: read_rows(path, ["y"], "a chart"), lambda: read_list(path), lambda: read_code_map(path)):
        with pytest.raises(OperatorError, match="larger than 64 MiB"):
            read()


@pytest.mark.parametrize("content", [DEEP, b'{"a":' * 100_000, b"null", b"[]", b"\0", b'{"../out": {"numerator": 1}}'])
def test_cases_of_a_measure_are_read_or_refused(content: bytes, tmp_path: Path) -> None:
    """Brackets without end, other JSON than a case's, and a name that leads out of the folder."""
    (tmp_path / "expected.json").write_bytes(content)
    with pytest.raises(OperatorError):
        read_cases(tmp_path)


def test_a_case_stays_in_its_folder(tmp_path: Path) -> None:
    """One that is a link to elsewhere is not followed."""
    out = tmp_path / "others"
    out.mkdir()
    (out / "bundle.ndjson").write_text("{}")
    folder = tmp_path / "cases"
    folder.mkdir()
    (folder / "mine").symlink_to(out)
    (folder / "expected.json").write_text(json.dumps({"mine": {"numerator": 1}}))
    with pytest.raises(OperatorError, match="there is no mine"):
        read_cases(folder)


@pytest.mark.parametrize(
    "content",
    [
        DEEP,
        b'{"resourceType":"ValueSet","url":"u","expansion":{"contains":[' + b'{"contains":[' * 60_000,
        b"\xff\xfe",
        b"0",
    ],
)
def test_a_value_set_is_read_or_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "set.json").write_bytes(content)
    with pytest.raises(OperatorError):
        load_value_sets(tmp_path, system=str)


def test_what_is_written_is_its_owners_even_where_a_file_was_open_before(tmp_path: Path) -> None:
    """Pages and lists of ids."""
    for name, write in (
        ("page.html", lambda path: write_file(path, "<p>")),
        ("found.csv", _findings),
    ):
        for before in (False, True):
            path = tmp_path / f"{before}-{name}"
            if before:
                path.touch()
                path.chmod(0o666)
            write(path)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


def _findings(path: Path) -> None:
    with findings_to(path) as sink:
        assert sink is not None
        sink("future", Found("s-1", "r-1"))


WORDS = [
    "\x1b[2J\x1b]0;x\x07",
    "</li></main><script>alert(1)</script>",
    "a\r\nb\n\n  - forged",
    "\u202eevil",
    "x" * 100_000,
]


@pytest.mark.parametrize("word", WORDS, ids=["escape", "markup", "lines", "turned", "long"])
def test_what_is_mailed_holds_words_and_no_more(word: str, tmp_path: Path) -> None:
    """A packet's text and its page, a check's page: what a server says, a site's own name, none is markup or a line of its own."""
    page = Page("x", f"{word}: for the firewall team", "Connections")
    page.put("What the check found", [f"server: {word}", "port 443"])
    findings = [Finding(f"server {word}", ok=False, what=word, fix=word, who="site IT")]
    write_page(tmp_path / "check.html", f"Can {word} be read?", findings)
    lines = page.as_text().splitlines()
    assert [line for line in lines if line.startswith("  - ")][1:] == ["  - port 443"]
    for text in (*lines, page.as_html().rstrip("\n"), (tmp_path / "check.html").read_text().rstrip("\n")):
        assert all(char.isprintable() for char in text.replace("\n", ""))
        assert "<script" not in text or text == lines[0] or text.startswith("  - ")
        assert len(text) < 40_000
