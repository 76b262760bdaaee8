"""`mainstem derive table`: a statistician's file, answered row by row."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mainstem.commands import app
from schemas.errors import OperatorError

GROWTH = "sex,age_months,height_cm,weight_kg,bmi\n"
GLI = "sex,age_years,height_cm,ethnicity,fev1_l,fvc_l\n"


def run(*arguments: str | Path) -> str:
    """What a command prints on standard output."""
    done = CliRunner().invoke(app, ["derive", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def table(tmp_path: Path, reference: str, text: str, encoding: str = "utf-8") -> list[dict[str, Any]]:
    """The rows that a file's text is answered with."""
    path = tmp_path / "given.csv"
    path.write_text(text, encoding)
    rows: list[dict[str, Any]] = json.loads(run("table", reference, path, "--json"))
    return rows


def refused(tmp_path: Path, reference: str, content: bytes) -> OperatorError:
    """The error that a file's bytes end in."""
    path = tmp_path / "given.csv"
    path.write_bytes(content)
    with pytest.raises(OperatorError) as caught:
        run("table", reference, path)
    return caught.value


def test_a_row_for_each_row_in_their_order(tmp_path: Path) -> None:
    """Rows that cannot be told are answered in their place, the others stand; every row has every column."""
    rows = table(
        tmp_path, "growth", GROWTH + "M,50.5,,,22.6\nX,50,100,16,\nF,24,85,12,\nM,abc,,,\nM,50,100,16,,9\nF,30\n"
    )
    assert [row["row"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert len({tuple(row) for row in rows}) == 1
    assert (round(rows[0]["bmi_z"], 2), rows[0]["height_z"]) == (2.83, None)
    assert rows[0]["method"] == "bmi cdc-2022-extended"
    assert rows[0]["why_empty"] == "height_cm is empty; weight_kg is empty"
    assert rows[1]["why_empty"] == "sex is neither M nor F"
    assert rows[2]["why_empty"] is None
    assert rows[2]["bmi_percent_of_p95"] == pytest.approx(100 * 12 / 0.85**2 / 19.10623522, abs=1e-5)
    assert rows[3]["why_empty"] == "age_months is not a number"
    assert rows[4]["why_empty"] == "the row has more cells than there are columns"
    assert "bmi is empty and cannot be computed" in rows[5]["why_empty"]


def test_an_empty_cell_says_why(tmp_path: Path) -> None:
    """Too old, too young for a P95, a height in metres, and nothing of what a cell held."""
    old, young, metres = table(tmp_path, "growth", GROWTH + "F,241,163,60,\nF,6,65,7,\nF,100,1.3,27,Anne\n")
    assert (old["height_z"], old["method"]) == (None, None)
    assert "bmi: age outside the reference, from birth to 240 months" in old["why_empty"]
    assert (young["method"], young["bmi_percent_of_p95"]) == ("height who-2006; weight who-2006; bmi who-2006", None)
    assert young["why_empty"] == "bmi_percent_of_p95 begins at 24 months"
    assert metres["why_empty"] == "height_cm is outside 20 to 280; bmi is not a number"
    assert metres["weight_z"] is not None


def test_a_column_that_a_file_does_not_have_is_said_too(tmp_path: Path) -> None:
    """Each empty cell has its reason; head circumference is told where there is a column of it."""
    (row,) = table(tmp_path, "growth", "sex,age_months,bmi\nF,100,16\n")
    assert row["why_empty"] == "height_cm is no column of the file; weight_kg is no column of the file"
    assert "head_z" not in row
    (row,) = table(tmp_path, "growth", "sex,age_months,head_cm\nF,12,45\n")
    assert row["head_z"] == pytest.approx((45 / 44.8965 - 1) / 0.03027, abs=1e-9)


def test_lung_function_by_both_editions(tmp_path: Path) -> None:
    """Predicted and lower limit stand without a measurement; without a group, GLI-2012 says why."""
    whole, without_fvc, no_group = table(
        tmp_path, "gli", GLI + "M,10.3,140,caucasian,1.9,2.2\nF,30,160,NE Asian,2.9,\nF,30,160,,2.9,3.4\n"
    )
    assert whole["why_empty"] is None
    assert whole["fev1fvc_percent_predicted_gli2022"] == pytest.approx(
        100 * 1.9 / 2.2 / whole["fev1fvc_predicted_gli2022"], abs=1e-9
    )
    assert len([name for name in whole if name.endswith(("gli2012", "gli2022"))]) == 24
    assert without_fvc["fvc_predicted_gli2012"] > 3
    assert (without_fvc["fvc_z_gli2012"], without_fvc["why_empty"]) == (None, "fvc_l is empty")
    assert (no_group["fev1_z_gli2012"], no_group["method"]) == (None, "gli2022")
    assert no_group["why_empty"].startswith("gli2012: ethnicity is none of")
    (impossible,) = table(tmp_path, "gli", GLI + "M,25,180,caucasian,5.1,5\n")
    assert (impossible["fev1fvc_z_gli2022"], impossible["why_empty"]) == (None, "fev1fvc: fev1_l is above fvc_l")
    assert impossible["fev1_z_gli2022"] is not None


def test_csv_and_json_say_the_same(tmp_path: Path) -> None:
    """Every digit; a file with a byte order mark, other columns and another order is read by its names."""
    text = "name,bmi,Sex,age_months\n,22.6,m,50.5\n"
    (row,) = table(tmp_path, "growth", text, "utf-8-sig")
    (said,) = csv.DictReader(io.StringIO(run("table", "growth", tmp_path / "given.csv", "--csv")))
    assert float(said["bmi_z"]) == row["bmi_z"]
    assert (said["height_z"], row["height_z"]) == ("", None)


def test_a_file_of_another_country_is_read(tmp_path: Path) -> None:
    """Semicolons with decimal commas, tabs, a byte order mark, either end of a line; a comma among commas is no number."""
    (row,) = table(tmp_path, "growth", "sex,age_months,bmi\nM,50.5,22.6\n")
    for text in (
        "sex;age_months;bmi\r\nM;50,5;22,6\r\n",
        "sex\tage_months\tbmi\nM\t50.5\t22.6\n\n",
        "SEX\tAge_Months\tBMI\r\nM\t50,5\t22,6\r\n",
        'sep=;\r\n"Name";"SEX";"AGE_MONTHS";"BMI"\r\n\r\n"Müller; Anne";"M";"50,5";"22,6"\r\n\r\n',
    ):
        assert table(tmp_path, "growth", text, "utf-8-sig") == [row]
    assert (
        table(tmp_path, "growth", 'sex,age_months,bmi\nM,"50,5",22.6\n')[0]["why_empty"] == "age_months is not a number"
    )
    assert table(tmp_path, "growth", "sex;age_months;bmi\nM;1.050,5;22,6\n")[0]["bmi_z"] is None


def test_what_a_spreadsheet_leaves_behind_is_no_column_and_no_cell(tmp_path: Path) -> None:
    """Empty names at the end of the header, empty cells at the end of a row; a cell that says something has a column."""
    rows = table(tmp_path, "growth", "sex,age_months,height_cm,,\nM,60,110,,\nM,60,110,,,,\nM,60,110,,,9\n")
    assert rows[0]["height_z"] == rows[1]["height_z"] is not None
    assert (rows[2]["height_z"], rows[2]["why_empty"]) == (None, "the row has more cells than there are columns")


def test_a_sex_is_read_in_words_and_never_guessed_of_a_number(tmp_path: Path) -> None:
    """1 is a boy's in one data set, a girl's in another."""
    rows = table(tmp_path, "growth", "sex,age_months,bmi\n" + "".join(f"{each},50,16\n" for each in SEXES))
    assert len({row["bmi_z"] for row in rows[:4]}) == len({row["bmi_z"] for row in rows[4:8]}) == 1
    assert {row["why_empty"] for row in rows[8:]} >= {"sex is neither M nor F"}
    assert {row["bmi_z"] for row in rows[8:]} == {None}


SEXES = ("M", "male", " Male", "boy", "F", "FEMALE", "f", "Girl", "1", "2", "0", "", "X", "woman?")


def test_groups_are_read_as_gli_names_them(tmp_path: Path) -> None:
    """In full and in short, whatever the case and the blanks; what names none of them is asked for."""
    said = ["ne-asian", "North East Asian", "SE_ASIAN", "south-east asian", "Other/Mixed", "other", "White", "unknown"]
    rows = table(tmp_path, "gli", GLI + "".join(f"F,30,160,{each},2.9,3.4\n" for each in said))
    z = [row["fev1_z_gli2012"] for row in rows]
    assert z[0] == z[1] != z[2] == z[3] != z[4] == z[5]
    assert z[6:] == [None, None]
    assert all(row["why_empty"].startswith("gli2012: ethnicity is none of") for row in rows[6:])


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """With what is wrong and what is wanted."""
    assert "no column age_months" in str(refused(tmp_path, "growth", b"sex,age,bmi\nM,50,16\n"))
    assert "no column" in str(refused(tmp_path, "growth", b"sex|age_months|bmi\nM|50|16\n"))
    assert "none of the columns" in str(refused(tmp_path, "growth", b"sex,age_months\nM,50\n"))
    assert "named twice" in str(refused(tmp_path, "growth", b"sex,age_months,bmi,bmi\nM,50,16,16\n"))
    assert "no row" in str(refused(tmp_path, "gli", GLI.encode()))
    assert "no column" in str(refused(tmp_path, "gli", b""))
    assert "UTF-8" in str(refused(tmp_path, "gli", b"\xff\xfe"))
    assert "not CSV" in str(refused(tmp_path, "growth", GROWTH.encode() + b'M,50,"1"0,,\n'))
    with pytest.raises(OperatorError, match=r"missing\.csv"):
        run("table", "growth", tmp_path / "missing.csv")
    with pytest.raises(OperatorError, match="no reference weight"):
        run("table", "weight", tmp_path / "given.csv")


def test_what_there_is(tmp_path: Path) -> None:
    """The references by name; each says what it reads and gives, how, and whence."""
    assert {"growth", "gli"} <= {row["name"] for row in json.loads(run("list", "--json"))}
    told = json.loads(run("show", "growth", "--json"))
    assert told["reads"][:2] == ["sex", "age_months"]
    assert any("linear in age" in line for line in told["method"])
    assert "1.645" in run("show", "gli")


def test_each_value_says_what_it_is(tmp_path: Path) -> None:
    """What it needs, of which window, by which method and version, whence."""
    listed = {row["name"]: row for row in json.loads(run("list", "--json"))}
    assert listed["bmi-z"]["version"] == "1"
    assert "bmi-z" in run("list")
    told = json.loads(run("show", "bmi-z@1", "--json"))
    assert told == json.loads(run("show", "bmi-z", "--json"))
    assert (told["needs"], "29463-7" in told["codes"]) == (["observation", "person"], True)
    assert told["window"]
    assert told["sources"]
    with pytest.raises(OperatorError, match="no derived value or reference waist"):
        run("show", "waist")
