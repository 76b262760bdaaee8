"""A hospital joins: the questions at a terminal, what is written, what goes to whom."""

import json
import os
import re
import tomllib
from pathlib import Path

import pytest
from browser import browser, violations
from hospital_with_faults import FaultyHospital
from screens import Said
from scripted_terminal import played

from mainstem.config.settings import load_settings
from mainstem.config.site_files import read_site
from mainstem.refresh import open_refresh

SECRET = "0123456789abcdef" * 4
DEAD = "http://127.0.0.1:1/fhir"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Of a new user's machine."""
    ours = {"MAINSTEM_DATABASE_URL": f"sqlite:///{tmp_path}/state.db", "TZ": "America/Chicago", "NO_COLOR": "1"}
    return {**os.environ, **ours}


def test_the_wizard_asks_the_few_questions_and_takes_mistakes(
    faulty: FaultyHospital, tmp_path: Path, environment: dict[str, str]
) -> None:
    """A wrong name, address, zone and vendor on the way are answered in words and asked again."""
    code, screen = played(
        ["sites", "new"],
        [
            ("Short name", "North General"),
            ("Short name", "north"),
            ("hospital's name", "North General"),
            ("Address of its FHIR server", "ftp://north.example"),
            ("Address of its FHIR server", faulty.base_url),
            ("time zone [America/Chicago]", "New York"),
            ("time zone [America/Chicago]", ""),
            ("EHR's vendor", "epik"),
            ("EHR's vendor", "epic"),
            ("Whose data", "a/b"),
            ("Whose data", "file:nowhere.txt"),
            ("Whose data", "Condition?="),
            ("Whose data", "cf"),
            ("Client id", "mainstem"),
            ("private key's file", "nowhere.pem"),
            ("private key's file", "env:SECRET"),
        ],
        folder=tmp_path,
        environment=environment,
    )
    assert code == 0, screen
    for told in (
        "lower case letters",
        "neither http nor https",
        "did you mean America/New_York?",
        "epik: no such vendor",
        "this is no Group's id",
        "nowhere.txt: no such file",
        "nowhere.pem: no such file",
        "must be a search that finds some patients",
    ):
        assert told in " ".join(screen.split()), screen
    assert "the server answers: FHIR 4.0.1" in screen
    site = read_site(tmp_path / "sites/north.toml").site
    assert (site.name, site.time_zone, site.fhir.vendor, site.fhir.group) == (  # type: ignore[union-attr]
        "North General",
        "America/Chicago",
        "epic",
        "cf",
    )
    assert oct((tmp_path / "sites/keys/north.subject-key").stat().st_mode)[-3:] == "600"


@pytest.mark.parametrize(
    ("flags", "section", "told"),
    [
        (["--group", "cf"], "fhir", {"group": "cf"}),
        (["--search", "Condition?code=x"], "cohort", {"search": "Condition?code=x"}),
        (["--patients", "our list.txt"], "cohort", {"patients": "file:{here}/our list.txt"}),
    ],
)
def test_whose_data_is_read_goes_by_flags_too(
    screen: Said, tmp_path: Path, flags: list[str], section: str, told: dict[str, str]
) -> None:
    """Each way writes what a run reads; two of them at once are refused, and nothing is written."""
    (tmp_path / "our list.txt").write_text("p1\n")
    code, _, err = screen("sites", "new", "both", "--base-url", DEAD, *flags, "--search", "Patient?a=b", "--group", "x")
    assert (code, "given together" in err, (tmp_path / "sites").exists()) == (78, True, False)
    assert screen("sites", "new", "south", "--base-url", DEAD, *flags, "--time-zone", "America/Denver")[0] == 0
    written = tomllib.loads((tmp_path / "sites/south.toml").read_text())
    assert {key: written[section][key] for key in told} == {
        key: value.format(here=tmp_path) for key, value in told.items()
    }


def test_all_that_a_hospital_needs_is_written_at_once(screen: Said, tmp_path: Path) -> None:
    """Site file with what else may stand in it, key, the page for the EHR's administrator, its own stubs and nobody else's."""
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags/ehr_pull__another.py").write_text("of another folder of site files")
    code, out, err = screen("sites", "new", "south", "--base-url", DEAD, "--time-zone", "America/Denver")
    assert code == 0
    assert "mainstem sites packet south" in out
    text = (tmp_path / "sites/south.toml").read_text()
    assert {"# schedule", "# types", "# code_map", "# page_size", "# [fhir.auth]"} <= set(
        re.findall("# [\\w.\\[\\]]+", text)
    )
    page = (tmp_path / "packet/south-administrator.txt").read_text()
    assert "Scopes asked for, and why" in page
    assert "south-administrator.html" in err
    assert {path.name for path in (tmp_path / "dags").iterdir()} == {
        "ehr_pull__south.py",
        "ehr_pull__another.py",
    }


def test_a_folder_is_two_answers_and_all_of_it_goes_by_flags(
    screen: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    monkeypatch.setenv("TZ", "America/Denver")
    code, out, _ = screen("sites", "new", "south", "--folder", "in", "--hospital", 'South "S" Clinic')
    assert (code, "next: mainstem check south" in out) == (0, True)
    assert "time zone: America/Denver, this machine's" in out
    written = tomllib.loads((tmp_path / "sites/south.toml").read_text())
    assert (written["name"], written["time_zone"]) == ('South "S" Clinic', "America/Denver")


def test_a_server_that_is_kept_in_utc_says_no_hospitals_zone(screen: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Etc/UTC")
    code, _, err = screen("sites", "new", "south", "--base-url", "http://127.0.0.1:1/fhir")
    assert (code, "--time-zone America/New_York" in err) == (78, True)


def test_where_nobody_can_be_asked_flags_are_named(screen: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115, PTH123 - a pipe's end
    code, _, err = screen("sites", "new", "north")
    assert (code, "--base-url or --folder" in err) == (78, True)


def test_sites_are_listed_and_judged(screen: Said, north: FaultyHospital, tmp_path: Path) -> None:
    assert screen("sites", "validate")[:2] == (0, "1 site files are valid\n")
    (row,) = json.loads(screen("sites", "list", "--json")[1])
    assert (row["site"], row["road"], row["source"]) == ("north", "search", north.base_url)
    (tmp_path / "sites/south.toml").write_text("site = ")
    assert "not valid TOML" in screen("sites", "list")[1]
    code, _, err = screen("sites", "validate")
    assert (code, "south.toml" in err) == (78, True)
    assert "subject_key" in json.loads(screen("sites", "schema")[1])["properties"]


BEFORE_A_SITE_IS_LOADED = (("sites", "validate"), ("check", "north"), ("check", "south"), ("sites", "packet", "north"))


@pytest.mark.parametrize("key", ["file:north.subject-key", "file:other.key", "env:KEY_OF_SOUTH"])
def test_two_sites_with_one_subject_key_are_refused_by_both_names(
    screen: Said, north: FaultyHospital, tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its place, and by what stands there: a copied key file, the same in a variable. A site that is loaded cannot change its key:
    its nights go on, and say it."""
    monkeypatch.setenv("KEY_OF_SOUTH", SECRET)
    sites = tmp_path / "sites"
    (sites / "other.key").write_text(f"{SECRET}\n")
    (sites / "south.toml").write_text(
        (sites / "north.toml").read_text().replace('"north"', '"south"').replace("file:north.subject-key", key)
    )
    for words in BEFORE_A_SITE_IS_LOADED:
        code, _, err = screen(*words)
        assert code == 78, words
        assert "one subject key" in err
        assert "north.toml" in err
        assert "south.toml" in err
    assert north.asked == []
    (tmp_path / "in.ndjson").write_text('{"resourceType":"Patient","id":"p1","birthDate":"2015-05-05"}\n')
    code, out, err = screen("map", "--site", "south", "in.ndjson")
    assert (code, len(out.splitlines())) == (0, 1)
    assert "north.toml" in err
    assert "one subject key" in err
    with open_refresh(sites / "north.toml", load_settings()) as refresh:
        assert refresh.site.site == "north"
    (sites / "other.key").write_text("another key of thirty-two bytes, no less")
    assert (screen("sites", "validate")[0] == 0) == (key == "file:other.key")


def test_the_packet_says_to_each_what_concerns_them(screen: Said, north: FaultyHospital, tmp_path: Path) -> None:
    """From the site file, the policy and the check; no secret, no patient."""
    (tmp_path / "sites/variables.csv").write_text(
        "variable,record,system,code\nweight,observation,http://loinc.org,29463-7\nFEV1,observation,http://loinc.org,20150-9\n"
    )
    code, _, err = screen("sites", "packet", "north", "--to", "out")
    assert (code, err.count("wrote")) == (0, 8)
    pages = {path.stem.removeprefix("north-"): path.read_text() for path in (tmp_path / "out").glob("*.txt")}
    assert "system/Observation.read: becomes the network's record observation" in pages["administrator"]
    assert "about 3 resources" in pages["administrator"]
    assert re.search(r"Every day at 0[34]:\d\d \(America/New_York\)", pages["administrator"])
    assert "The EHR: not encrypted (http)" in pages["firewall"]
    assert str(Path("var/landing").absolute()) in pages["privacy"]
    assert (
        f"127.0.0.1, port {north.base_url.split(':')[2].split('/')[0]}, from this machine outwards" in pages["firewall"]
    )
    assert "person: " in pages["privacy"]
    assert "birth date" in pages["privacy"]
    assert "gender identity" not in pages["privacy"]
    assert "names, addresses below ZIP" in pages["privacy"]
    registry, extract = re.split("May leave|May stand", pages["privacy"])[:2]
    assert re.search(r"person: as it is: .*birth date", registry)
    assert re.search(r"person: as it is: .*; as years: birth date.*; first three digits.*: zip5", extract)
    assert "mainstem audit show" in pages["privacy"]
    assert "Filled\n  - weight" in pages["clinical-lead"]
    assert "Not filled in a sample\n  - FEV1" in pages["clinical-lead"]
    for path in (tmp_path / "out").iterdir():
        for word in (SECRET, "Example", "M1", "<script", "src="):
            assert word not in path.read_text(), (path, word)


@pytest.mark.browser
@pytest.mark.slow
def test_the_pages_read_well_in_a_browser(screen: Said, north: FaultyHospital, tmp_path: Path) -> None:
    """On paper's width and a phone's; axe finds nothing, and nothing is asked for elsewhere."""
    north.resources["Observation"] = []
    screen("check", "north", "--html", "out-check.html")
    screen("status", "--html", "out-status.html")
    screen("sites", "packet", "north", "--to", "out")
    pages = [*tmp_path.glob("out-*.html"), *(tmp_path / "out").glob("*.html")]
    assert len(pages) == 6
    with browser() as opened:
        for path in pages:
            for width in (1280, 390):
                tab = opened.new_page(viewport={"width": width, "height": 900})
                asked: list[str] = []
                tab.on("request", lambda request, asked=asked: asked.append(request.url))
                tab.goto(path.as_uri())
                assert violations(tab) == [], path.name
                assert asked == [path.as_uri()]
                wide = tab.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, (path.name, wide)
                if folder := os.environ.get("MAINSTEM_SCREENSHOTS_SITES"):
                    tab.screenshot(path=f"{folder}/{path.stem}-{width}.png", full_page=True)
                tab.close()


@pytest.mark.parametrize(
    ("flags", "auth", "told"),
    [
        ([], None, "next: fill in [fhir.auth]"),
        (
            ["--client-id", "c"],
            {"method": "smart-backend", "private_key": "file:keys/south.jwks"},
            "next: mainstem keys new south",
        ),
        (
            ["--client-id", "c", "--private-key", "own.pem"],
            {"private_key": "file:{here}/own.pem"},
            "next: mainstem check south",
        ),
        (
            ["--client-id", "c", "--secret", "env:S", "--scope", "system/*.read"],
            {"method": "client-credentials", "secret": "env:S", "scope": "system/*.read"},
            "next: mainstem check south",
        ),
    ],
)
def test_the_log_in_goes_by_flags_too(
    screen: Said, tmp_path: Path, flags: list[str], auth: dict[str, str] | None, told: str
) -> None:
    """And what comes next is what is still missing; a secret itself is never written."""
    (tmp_path / "own.pem").write_text("a key")
    code, out, _ = screen("sites", "new", "south", "--base-url", DEAD, "--time-zone", "America/Denver", *flags)
    written = tomllib.loads((tmp_path / "sites/south.toml").read_text())["fhir"].get("auth")
    assert (code, told in out) == (0, True)
    assert (written is None) == (auth is None)
    if auth:
        assert {key: written[key] for key in auth} == {key: each.format(here=tmp_path) for key, each in auth.items()}


def test_the_key_that_is_to_be_made_is_made_where_the_site_file_has_it(screen: Said, tmp_path: Path) -> None:
    """What comes next works, word by word: the key, then it is shown."""
    assert screen("sites", "new", "south", "--base-url", DEAD, "--client-id", "c", "--time-zone", "UTC")[0] == 0
    code, out, err = screen("keys", "new", "south")
    assert (code, out.count('"kid"')) == (0, 1), err
    assert (tmp_path / "sites/keys/south.jwks").is_file()
    assert screen("keys", "jwks", "south")[:2] == (0, out)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--secret", "env:S"], "no client"),
        (["--client-id", "c", "--private-key", "nowhere.pem"], "no such file"),
        (["--client-id", "c", "--secret", "hunter2"], "never the secret"),
    ],
)
def test_a_log_in_that_cannot_be_is_refused_and_nothing_written(
    screen: Said, tmp_path: Path, flags: list[str], told: str
) -> None:
    code, _, err = screen("sites", "new", "south", "--base-url", DEAD, "--time-zone", "America/Denver", *flags)
    assert (code, told in err, "hunter2" in err) == (78, True, False)
    assert not list(tmp_path.rglob("*.toml"))
