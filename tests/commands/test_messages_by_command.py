"""Messages that a command tells at once, each by the words that bring it: exit code, cause, and something to do."""

import json
import sys
from pathlib import Path

import pytest
from screens import Said

from mainstem.demo.running_demo import chosen_ports, only_one
from schemas.errors import OperatorError

SITE = 'site = "{name}"\nname = "North"\ntime_zone = "UTC"\nsubject_key = "file:{name}.key"\n'
GROWTH = "sex,age_months,height_cm\n"
GIVEN = {
    "cells.csv": "x,y,n\n2026-01,a few,10\n2026-02,3,10\n",
    "sites.csv": "site,y,n\nnorth,1,10\n",
    "twice.csv": "sex,age_months,height_cm,height_cm\nF,30,90,91\n",
    "quoted.csv": GROWTH + '"F"x,30,90\n',
    "good.csv": GROWTH + "F,30,90\n",
    "junk.ndjson": "this is no resource\n",
    "ward.txt": "1\n",
    "export/Patient.ndjson": json.dumps({"resourceType": "Condition", "id": "1"}) + "\n",
    "sites/north.key": "0123456789abcdef" * 4,
    "sites/short.key": "0123456789abcdef",
    "sites/north.toml": SITE.format(name="north") + 'types = ["Patient"]\n[files]\nfolder = "../export"\n',
    "sites/short.toml": SITE.format(name="short") + '[files]\nfolder = "../export"\n',
    "sites/east.key": "fedcba9876543210" * 4,
    "sites/east.toml": SITE.format(name="east") + '[fhir]\nbase_url = "http://127.0.0.1:1/r4"\n',
    "sites/keys/east.jwks": "{}",
    "twins/one.toml": SITE.format(name="north") + '[files]\nfolder = "../export"\n',
    "twins/two.toml": SITE.format(name="north") + '[files]\nfolder = "../export"\n',
}


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """What lies before somebody: lists, an export, site files, some of them wrong."""
    for name, text in GIVEN.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o600)
    return tmp_path


NEW = ("sites", "new", "west", "--time-zone", "UTC", "--folder", "export")
NOBODY = "r-" + "0" * 32


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        ("audit show --what borrowed", "nothing is done that is called borrowed", 78),
        ("audit show --since 11/03/2026", "11/03/2026: no day", 78),
        ("charts cells.csv --chart p", "column y: the cell is not a number", 78),
        ("consent import nothing.csv --site north", "there is no file nothing.csv", 78),
        ("derive table growth good.csv --json --csv", "--json and --csv are both asked for", 78),
        ("derive table growth twice.csv", "a column is named twice", 78),
        ("derive table growth quoted.csv", "line 2: not CSV", 78),
        ("demo --port page", "--port page names no port", 78),
        ("feedback plan --site north --to plan.pdf --day 11/3/2026", "--day 11/3/2026 is no date", 78),
        ("map --site north junk.ndjson", "nothing could be mapped", 65),
        ("measures explain CF-2", "one person is explained", 78),
        ("measures explain CF-2 nothing.ndjson", "no such file: nothing.ndjson", 78),
        ("replay north --since yesterday", "--since yesterday: no time", 78),
        ("replay north --since 2999-01-01", "--since 2999-01-01 is yet to come", 78),
        ("status --all --site north", "--all and --site ask for different things", 78),
        ("status --html nowhere/status.html", "nowhere/status.html: cannot be written", 78),
        ("trace --source Observation --site north", "a source is a type and an id", 78),
        (f"trace {NOBODY} --no-topic", "holds no such record", 78),
        ("--log loud version", "log format 'loud' is unknown", 78),
        ("sites new west --folder export --time-zone UTC --group g --patients ward.txt", "are given together", 78),
        ("sites new north --folder export --time-zone UTC", "north.toml exists", 78),
        ("sites new west --folder export --time-zone EST", "EST: keeps no summer time", 78),
        ("sites validate twins", "both say site = 'north'", 78),
        ("keys new east", "east.jwks exists", 78),
        ("check north", "the first file begins with another type than its name says", 65),
        ("check short", "the subject key has 16 bytes; at least 32 are needed", 78),
        ("map --site short export", "the subject key has 16 bytes; pseudonyms need at least", 78),
        ("schemas --to good.csv", "this machine refuses to go on in .: File exists", 78),
        ("sites new west --folder good.csv --time-zone UTC", "good.csv: a file, not a folder", 78),
        ("sites new west --folder C:\\export --time-zone UTC", "C:\\export: a path of Windows", 78),
    ],
)  # fmt: skip
def test_a_command_that_cannot_be_done_says_why(screen: Said, desk: Path, words: str, told: str, code: int) -> None:
    ended, out, err = screen(*words.split())
    said = " ".join((out + err).split())
    assert (ended, told in said) == (code, True), said
    assert str(desk) not in told
    assert "fix:" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("funnel", "sites.csv", "--model", " "), "--model is empty"),
        (("sites", "new", "west", "--folder", " ", "--time-zone", "UTC"), "--folder is empty"),
        (("gaps", "accept", "north", "Patient", "--reason", " "), "--reason is empty"),
    ],
)
def test_nothing_where_words_are_wanted(screen: Said, desk: Path, words: tuple[str, ...], told: str) -> None:
    assert desk.is_dir()
    code, _, err = screen(*words)
    assert (code, told in err) == (78, True), err


def test_a_picture_is_no_text_for_a_terminal(screen: Said, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk / "visits.csv").write_text("x,y\n" + "".join(f"{n},{n % 3}\n" for n in range(12)))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, _, err = screen("charts", "visits.csv", "--chart", "i", "--png")
    assert (code, "a PNG is no text for a terminal" in err) == (78, True), err


@pytest.mark.parametrize(
    ("setting", "value", "words", "told"),
    [
        ("MAINSTEM_CENTRE_KEY", "env:CENTRE", "home", "the centre's key has 5 bytes"),
        ("MAINSTEM_HOME_ADDRESS", "http://home.example", "home", "is not https: families' codes"),
        ("MAINSTEM_HOME_ADDRESS", "", "home --host 192.0.2.1", "the page would answer at 192.0.2.1 without TLS"),
        ("MAINSTEM_OIDC_ISSUER", "", "feedback --port 1", "no log-in is set"),
        ("MAINSTEM_OIDC_ROLES", "boss", "feedback --port 1", "has a part without ="),
        ("MAINSTEM_OIDC_ROLES", "boss=king", "feedback --port 1", "MAINSTEM_OIDC_ROLES names a role king"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be(
    screen: Said, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, words: str, told: str
) -> None:
    monkeypatch.setenv("CENTRE", "short")
    monkeypatch.setenv("MAINSTEM_OIDC_ISSUER", "https://login.example")
    monkeypatch.setenv("MAINSTEM_OIDC_CLIENT_ID", "pages")
    monkeypatch.setenv("MAINSTEM_PAGES_ADDRESS", "https://pages.example")
    monkeypatch.setenv(setting, value)
    code, _, err = screen(*words.split())
    assert (code, told in " ".join(err.split())) == (78, True), err


def test_a_demo_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OperatorError, match="the demo has no port of pge"):
        chosen_ports(True, {"pge": 1})
    monkeypatch.setenv("MAINSTEM_DEMO_PAGE_PORT", "eighty")
    with pytest.raises(OperatorError, match="MAINSTEM_DEMO_PAGE_PORT is no port number: eighty"):
        chosen_ports(False, {})
    with only_one(tmp_path), pytest.raises(OperatorError, match="A demo is already running"), only_one(tmp_path):
        pass
