"""`mainstem charts` and `mainstem funnel`: an analyst's file in, numbers, sentences and pictures out."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from mainstem.commands import app
from schemas.errors import MainstemError, OperatorError
from services.charts.limits import kinds
from services.charts.rules import rule_sets

POINT = ["x", "y", "n", "centre", "lower", "upper", "sigma", "signals"]
RUNS = ["useful", "longest", "longest_max", "crossings", "crossings_min", "signal"]
PLACE = ["site", "y", "n", "z", "lower2", "upper2", "lower3", "upper3", "flag"]
HEADERS = {"p": "x,y,n", "pp": "x,y,n", "u": "x,y,n", "up": "x,y,n", "given": "x,y,centre,sigma"}
ROWS = {"x,y": "{k},{y}", "x,y,n": "{k},{y},20", "x,y,centre,sigma": "{k},{y},4,1.5"}


def run(*arguments: object) -> tuple[str, str]:
    """Standard output and standard error."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(done.exception, MainstemError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout, done.stderr


def charted(path: Path, kind: str, *options: object) -> dict[str, Any]:
    """The chart's JSON."""
    found: dict[str, Any] = json.loads(run("charts", path, "--chart", kind, "--json", *options)[0])
    return found


def written(folder: Path, header: str, rows: Sequence[str]) -> Path:
    """A file of these lines."""
    path = folder / "series.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def shifted(tmp_path: Path) -> Path:
    """Twelve months at a quarter, eight at three quarters."""
    shares = [5, 4, 6, 5, 7, 3, 5, 6, 4, 5, 6, 4, *[15] * 8]
    return written(tmp_path, "x,y,n", [f"{2025 + k // 12}-{k % 12 + 1:02},{y},20" for k, y in enumerate(shares)])


@pytest.mark.parametrize("kind", sorted(kinds()))
@pytest.mark.parametrize("rules", sorted(rule_sets()))
def test_every_kind_and_set_gives_the_same_shape(tmp_path: Path, kind: str, rules: str) -> None:
    """What a program reads does not depend on the chart; `--help` names every kind and set."""
    header = HEADERS.get(kind, "x,y")
    path = written(tmp_path, header, [ROWS[header].format(k=k // 3, y=(k * 7) % 11) for k in range(30)])
    found = charted(path, kind, "--rules", rules)
    assert list(found) == ["chart", "rules", "points", "runs"]
    assert (found["chart"], found["rules"]) == (kind, rules)
    assert all(list(point) == POINT for point in found["points"])
    assert list(found["runs"]) == RUNS
    assert len(found["points"]) == (10 if kind in ("xbar", "s") else 30)
    said = run("charts", "--help")[0]
    assert f"{kind}" in said
    assert rules in said


def test_shift_is_told_by_number_in_words_and_in_the_picture(shifted: Path) -> None:
    """Each point that takes part is marked; the sentence says which and which way; the picture says it to who cannot see."""
    found = charted(shifted, "p", "--baseline", 12)
    assert {point["centre"] for point in found["points"]} == {0.25}
    assert all("eight_one_side" in point["signals"] for point in found["points"][12:])
    assert found["points"][12]["y"] == 0.75
    table, _ = run("charts", shifted, "--chart", "p", "--baseline", 12, "--better", "up", "--target", 0.6)
    assert "Better, 2026-01 to 2026-08: 8 points in a row above the average: the level has changed." in table
    assert "Variation: improving, high." in table
    assert "Target 0.6: missed every time." in table
    assert "new lines may begin there (--phase 2026-01)" in table
    table, _ = run("charts", shifted, "--chart", "p", "--baseline", 12, "--better", "down")
    assert "new lines" not in table
    drawn = run("charts", shifted, "--chart", "p", "--baseline", 12, "--better", "up", "--svg")[0]
    picture = ElementTree.fromstring(drawn)
    assert "8 points in a row above the average" in picture.attrib["aria-label"]
    assert "#0072b2" in drawn
    worse = run("charts", shifted, "--chart", "p", "--baseline", 12, "--better", "down", "--svg")[0]
    assert "#d55e00" in worse
    assert "#0072b2" not in worse


def test_points_come_as_csv_too(shifted: Path) -> None:
    """The same numbers, a row a point."""
    rows = list(csv.DictReader(io.StringIO(run("charts", shifted, "--chart", "p", "--csv")[0])))
    points = charted(shifted, "p")["points"]
    assert list(rows[0]) == POINT
    assert [float(row["upper"]) for row in rows] == [point["upper"] for point in points]
    assert [row["signals"].split() for row in rows] == [point["signals"] for point in points]


def test_new_lines_begin_where_they_are_wanted(shifted: Path) -> None:
    """A phase a person asks for; the shift is then no signal."""
    found = charted(shifted, "p", "--phase", "2026-01")
    assert [found["points"][place]["centre"] for place in (0, 11, 12, 19)] == [0.25, 0.25, 0.75, 0.75]
    assert [point["signals"] for point in found["points"]] == [[]] * 20


def test_numbers_that_do_not_exist_are_null(tmp_path: Path) -> None:
    """No patients, no count: no share; a gap in the series is no 0."""
    points = charted(written(tmp_path, "x,y,n", ["a,0,0", "b,,10", "c,NA,", "d,2,10", "e,3,10"]), "p")["points"]
    assert [point["y"] for point in points] == [None, None, None, 0.2, 0.3]
    assert [point["n"] for point in points] == [0, 10, None, 10, 10]
    assert (points[0]["upper"], points[0]["sigma"], points[0]["centre"]) == (None, None, 0.25)


def test_readings_of_one_x_are_a_subgroup(tmp_path: Path) -> None:
    """One row a reading, in whatever order; a subgroup of one has a mean and no limits."""
    path = written(tmp_path, "x,y", ["mon,1", "tue,4", "mon,3", "tue,6", "wed,5"])
    points = charted(path, "xbar")["points"]
    assert [(point["x"], point["y"], point["n"]) for point in points] == [("mon", 2, 2), ("tue", 5, 2), ("wed", 5, 1)]
    assert points[2]["upper"] is None
    assert [point["y"] for point in charted(path, "s")["points"]] == [2**0.5, 2**0.5, None]


def test_one_point_and_a_constant_series_are_answered(tmp_path: Path) -> None:
    """Nothing to compare with, and nothing that differs."""
    one, said = run("charts", written(tmp_path, "x,y", ["1,7"]), "--chart", "i", "--json")
    assert "too few values for limits" in said
    assert json.loads(one)["points"][0]["upper"] is None
    constant = charted(written(tmp_path, "x,y", [f"{k},0.1" for k in range(30)]), "i")
    assert [point["signals"] for point in constant["points"]] == [[]] * 30
    assert (constant["runs"]["useful"], constant["runs"]["longest_max"], constant["runs"]["signal"]) == (0, None, False)


def test_time_that_runs_backwards_is_said(tmp_path: Path) -> None:
    """Newest first would turn every rise into a fall."""
    _, said = run("charts", written(tmp_path, "x,y", ["2026-03-01,1", "2026-02-01,2"]), "--chart", "run")
    assert "does not go forward" in said
    for later, before in [
        ("3/1/2026", "12/1/2025"),
        ("01.01.2026", "31.12.2025"),
        ("Feb 2026", "Jan 2026"),
        ("2026-Q2", "2026-Q1"),
    ]:
        _, said = run("charts", written(tmp_path, "x,y", [f"{later},1", f"{before},2"]), "--chart", "run")
        assert "does not go forward" in said
        _, said = run("charts", written(tmp_path, "x,y", [f"{before},1", f"{later},2"]), "--chart", "run")
        assert not said
    _, said = run("charts", written(tmp_path, "x,y", ["9,1", "10,2"]), "--chart", "run")
    assert "forward" not in said


def test_what_was_perhaps_not_meant_is_said(tmp_path: Path) -> None:
    """Fewer points than the baseline should have; rows of one x, which only the charts of readings take together."""
    path = written(tmp_path, "x,y", ["1,1", "1,2", "2,3"])
    assert "--baseline 12: 3 known are there" in run("charts", path, "--chart", "i", "--baseline", 12)[1]
    assert "stands in several rows" in run("charts", path, "--chart", "i")[1]
    mean = written(tmp_path, "x,y", ["2026-01,1", "2026-02,3", "Average,2"])
    assert "'Average' is called like a total or a mean" in run("charts", mean, "--chart", "i")[1]
    few = written(tmp_path, "x,y", ["1,1"])
    assert "but 1 point can hardly tell change from chance: 13 can" in run("charts", few, "--chart", "i")[0]
    path = written(tmp_path, "x,y", ["1,1", "1,2", "2,3"])
    assert not run("charts", path, "--chart", "xbar")[1]


def test_file_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    """A mark of UTF-8, semicolons, capitals, columns in another order, empty lines at the end."""
    path = tmp_path / "sheet.csv"
    path.write_bytes("\ufeffN;X ;Y;note\r\n20;\u00e4;5;\r\n20;b;6;ok\r\n;;;\r\n".encode())
    assert [point["y"] for point in charted(path, "p")["points"]] == [0.25, 0.3]


@pytest.mark.parametrize(
    "lines",
    [
        ["sep=;", "x;y", "1;1,5", "2;-2,25"],
        ['"sep=\t"', "x\ty", "1\t1.5", "2\t\u22122.25"],
        ["", ";;", "x;y;note, if any", "1;1,5;", "2;-2,250;;"],
        ['"X", "Y"', '"1", "1.5"', '"2", "-2.25"'],
        ["y|x", "1.5|1", "-2.25|2"],
    ],
)
def test_numbers_are_read_as_spreadsheets_of_any_country_write_them(tmp_path: Path, lines: list[str]) -> None:
    """Excel's line of the mark, lines above the header, decimals after a comma where that is no mark, empty cells at the end."""
    path = written(tmp_path, lines[0], lines[1:])
    assert [(point["x"], point["y"]) for point in charted(path, "i")["points"]] == [("1", 1.5), ("2", -2.25)]


@pytest.mark.parametrize(
    ("kind", "lines", "told"),
    [
        ("p", ["x,y", "1,2"], "line 1: no column n; there are x, y"),
        ("p", ["x,y,n,y", "1,2,3,4"], "line 1: column y stands twice"),
        ("p", ["x,y,n"], "there is no row below the header"),
        ("p", ["x,y,n", "1,5,20", "2,7,4"], "line 3, column y: the cell is more than n"),
        ("p", ["x,y,n", "1,0.5,20"], "line 2, column y: the cell is not a whole number"),
        ("u", ["x,y,n", "1,-2,20"], "line 2, column y: the cell is below 0"),
        ("u", ["x,y,n", "1,2,0"], "line 2, column n: the cell is 0 where y is not"),
        ("i", ["x,y", "1,12", "", "3,twelve"], "line 4, column y: the cell is not a number"),
        ("i", ["x,y", '1,"1,5"'], "line 2, column y: the cell is not a number"),
        ("i", ["x,y", "1,inf"], "line 2, column y: the cell is not finite"),
        ("i", ["x,y", "1,1_000"], "line 2, column y: the cell is not a number"),
        ("i", ["x,y", "1,1e308", "2,-1e308"], "line 2, column y: the cell is beyond 1,000,000,000"),
        ("p", ["x,y,n", "1,5,1e15"], "line 2, column n: the cell is beyond 1,000,000,000"),
        ("i", ["x;y", "1;1,500", "2;2,250"], "line 2, column y: the cell is not a number"),
        ("i", ["sep=;", "x;y", "1;1,5", "2;2.250"], "line 4, column y: the cell has a point where others have a comma"),
        ("i", ["sep=;", "x;z"], "line 2: no column y"),
        ("i", ["PK\x03\x04"], "is a workbook or an archive, not CSV"),
        ("i", ["x,y", "1,2,3"], "line 2: 3 cells under a header of 2"),
        ("i", ["x,y", '1,"2'], "is not CSV"),
        ("t", ["x,y", "1,-1"], "line 2, column y: the cell is below 0"),
        ("xbar", ["x,y", ",1"], "line 2, column x: the cell is empty"),
        ("run", ["x,y", "a,1", ",2"], "line 3, column x: the cell is empty"),
        ("given", ["x,y,centre,sigma", "1,2,3,-1"], "line 2, column sigma: the cell is below 0"),
        ("given", ["x,y,centre,sigma", "1,2,,1"], "line 2, column centre: the cell is empty where y is not"),
        ("p", ["x,y,n", "1,5,20", "2,6,20", "Grand Total,11,40"], "line 4, column x: the cell names a total"),
        ("run", ["x,y", "Total,3", "1,1", "2,2"], "line 2, column x: the cell names a total"),
        ("pie", ["x,y", "1,2"], "--chart pie: there is no such"),
    ],
)
def test_what_cannot_be_used_is_told_by_file_line_and_column(
    tmp_path: Path, kind: str, lines: list[str], told: str
) -> None:
    """With what to do; what stands in the cell is not repeated."""
    path = written(tmp_path, lines[0], lines[1:])
    with pytest.raises(OperatorError) as caught:
        run("charts", path, "--chart", kind)
    assert told in caught.value.cause
    assert kind == "pie" or str(path) in caught.value.cause
    assert caught.value.fix
    assert "twelve" not in caught.value.cause


def test_what_is_asked_for_and_is_not_there_is_told(shifted: Path, tmp_path: Path) -> None:
    """A file, a rule set, a phase, two outputs at once."""
    for arguments, told in [
        ((tmp_path / "nowhere.csv", "--chart", "p"), "cannot be read"),
        ((shifted, "--chart", "p", "--rules", "nelson"), "--rules nelson: there is no such"),
        ((shifted, "--chart", "p", "--phase", "2031-01"), "has no such x"),
        ((shifted, "--chart", "p", "--target", "nan"), "--target nan is not a number"),
        ((shifted, "--chart", "p", "--json", "--svg"), "--json and --svg are asked for together"),
    ]:
        with pytest.raises(OperatorError, match=told):
            run("charts", *arguments)


def test_runs_are_told_by_the_rules_that_judge_by_them(shifted: Path) -> None:
    """Anhøj: no point is marked, the series is."""
    found = charted(shifted, "run", "--rules", "anhoj")
    assert found["runs"]["signal"]
    assert {point["lower"] for point in found["points"]} == {None}
    table, _ = run("charts", shifted, "--chart", "run", "--rules", "anhoj")
    assert "Unusual: longest run" in table


@pytest.fixture
def sites(tmp_path: Path) -> Path:
    """Thirty sites alike, and one far above."""
    path = tmp_path / "sites.csv"
    rows = [f"site-{k},{18 + (k * 5) % 9},{60 + k}" for k in range(30)]
    path.write_text("\n".join(["site,y,n", *rows, "high,70,80", "new,0,0"]) + "\n")
    return path


def test_funnel_tells_who_stands_outside(sites: Path) -> None:
    """By number, in words, as a picture; with the conventions."""
    found = json.loads(run("funnel", sites, "--json")[0])
    assert list(found) == ["centre", "tau2", "phi", "winsorised", "points", "conventions"]
    assert all(list(point) == PLACE for point in found["points"])
    assert [point["site"] for point in found["points"] if point["flag"] == "alarm"] == ["high"]
    assert found["points"][-1]["z"] is None
    assert found["winsorised"] == 0.1
    table, _ = run("funnel", sites)
    assert "Winsorised at the 10% and 90% quantiles" in table
    drawn = run("funnel", sites, "--better", "down", "--svg")[0]
    assert "high (alarm)" in ElementTree.fromstring(drawn).attrib["aria-label"]
    assert "#d55e00" in drawn
    rows = list(csv.DictReader(io.StringIO(run("funnel", sites, "--csv")[0])))
    assert list(rows[0]) == PLACE


def test_funnel_of_observed_over_expected_names_its_model(tmp_path: Path) -> None:
    """Without a model's name nobody could say what was expected."""
    path = tmp_path / "sites.csv"
    path.write_text("site,y,expected\na,4,4.0\nb,6,5.1\nc,2,2.2\n")
    found = json.loads(run("funnel", path, "--model", "readmission 2.1", "--json")[0])
    assert found["centre"] == 1
    assert found["points"][1]["expected"] == 5.1
    assert "readmission 2.1" in found["conventions"][0]
    with pytest.raises(OperatorError, match="no column n"):
        run("funnel", path)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("a,3,10", "column site: the cell names a site of an earlier row"),
        (",3,10", "column site: the cell is empty"),
        ("b,30,10", "column y: the cell is more than n"),
        ("Total,1,10", "column site: the cell names a total: the row is the sum of the others"),
        ("all sites,1,10\nb,0,0", "column site: the cell names a total"),
    ],
)
def test_sites_that_cannot_be_used_are_told(tmp_path: Path, row: str, told: str) -> None:
    """By line and column."""
    path = tmp_path / "sites.csv"
    path.write_text(f"site,y,n\na,1,10\n{row}\n")
    with pytest.raises(OperatorError, match=f"line 3, {told}"):
        run("funnel", path)


def test_a_total_that_is_none_is_a_site_and_said(tmp_path: Path) -> None:
    """A subtotal, or the figure of a larger network: nobody but its writer knows; beside a total it hides it not."""
    path = tmp_path / "sites.csv"
    path.write_text("site,y,n\na,1,10\nb,2,10\nNetwork,30,90\n")
    found, said = run("funnel", path, "--json")
    assert [point["site"] for point in json.loads(found)["points"]] == ["a", "b", "Network"]
    assert "'Network' is not the sum of the others" in said
    path.write_text("site,y,expected\na,1,1.04\nSubtotal,1,1.04\nb,2,2.04\nOverall,3,3.1\n")
    with pytest.raises(OperatorError, match="line 5, column site: the cell names a total"):
        run("funnel", path, "--model", "m 1")


def test_help_shows_examples() -> None:
    """Both commands can be tried as they stand."""
    assert "mainstem charts visits.csv --chart p" in run("charts", "--help")[0].replace("\n  ", " ")
    assert "mainstem funnel sites.csv --json" in run("funnel", "--help")[0].replace("\n  ", " ")
