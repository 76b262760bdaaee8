"""`mainstem codes`: what has no meaning at a site, what it may mean, and whether a code map is one."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from network_under_test import Network

from mainstem.commands.codes.gathering import target_of
from mainstem.commands.codes.suggesting import suggestions
from mainstem.config.site_mapper import read_code_map
from schemas.errors import OperatorError
from schemas.outcomes import RECORD_TYPES
from transforms import CodeMapRow
from transforms.codes.code_map import code_map
from transforms.codes.forms import code_fault
from transforms.codes.spellings import is_listed
from transforms.codes.systems import CVX, LOINC, RXNORM, SNOMED, UCUM

SYSTEMS = {"loinc": LOINC, "snomed": SNOMED, "cvx": CVX, "rxnorm": RXNORM}
OURS = "urn:oid:1.2.3.4.5"
HEADER = "system,code,target_system,target_code,note"


def reading(number: int, concept: dict[str, Any], unit: str) -> dict[str, Any]:
    """A value under a concept, in a unit."""
    return {
        "resourceType": "Observation",
        "id": f"o-{number}",
        "status": "final",
        "code": concept,
        "subject": {"reference": "Patient/kid-1"},
        "effectiveDateTime": "2026-03-02T10:00:00Z",
        "valueQuantity": {"value": 40, "unit": unit},
    }


def coded(code: str, called: str, system: str = OURS) -> dict[str, Any]:
    """A concept of one coding."""
    return {"coding": [{"system": system, "code": code, "display": called}]}


@pytest.fixture
def site(lhn: Network) -> Path:
    """A site whose codes are its own: often used ones, one that a measure asks for, a text alone, a unit nobody knows."""
    folder = lhn.folder / "delivery"
    folder.mkdir()
    concepts = [
        *[(coded("HT", "Height"), "cm")] * 4,
        *[(coded("Bm x 77", "BMI percentile", "https://ward.example/codes"), "%")] * 2,
        *[({"text": "Peak flow, ward B"}, "L/min")] * 3,
        (coded("29463-7", "Body weight", LOINC), "kilo stones"),
        (coded("8302-2", "Body height", LOINC), "cm"),
    ]
    lines = [json.dumps(reading(number, *each)) for number, each in enumerate(concepts)]
    (folder / "Observation.ndjson").write_text("\n".join([*lines, ""]))
    path = lhn.files_site("west", folder, types=["Observation"], code_map="map.csv")
    (lhn.folder / "map.csv").write_text(f"{HEADER}\n")
    lhn.refresh(path)
    return path


@pytest.mark.slow
def test_what_has_no_meaning_is_listed_by_need_then_by_frequency(lhn: Network, site: Path) -> None:
    """Records' codes as the hospital writes them, refused texts and units too."""
    found = json.loads(lhn.here("codes", "unmapped", "--site", site, "--json").stdout)["codes"]
    rows = [(row["system"], row["code"], row["target_system"], row["count"], row["measures"]) for row in found]
    assert rows == [
        (OURS, "HT", LOINC, 4, ["CMS155"]),
        ("https://ward.example/codes", "Bm x 77", LOINC, 2, ["CF-2", "CF-2A", "CMS155", "GEN-WT"]),
        ("", "Peak flow, ward B", LOINC, 3, []),
        ("", "kilo stones", UCUM, 1, []),
    ]


@pytest.mark.slow
def test_what_measures_ask_for_is_named_value_sets_too(lhn: Network, site: Path) -> None:
    """Of single codes what the site lacks; the codes of value sets where their folder is given."""
    said = lhn.here("codes", "unmapped", "--site", site).stdout
    assert "CF-2 asks for what the site has no record of: 59576-9; 190905008 or E84" in said
    cms155 = next(line for line in said.splitlines() if line.startswith("CMS155"))
    assert "8302-2" not in cms155, "the site has one"
    sets = lhn.folder / "sets"
    sets.mkdir()
    expansion = {"contains": [{"system": LOINC, "code": "8302-2"}]}
    value_set = {"resourceType": "ValueSet", "url": "urn:oid:2.16.840.1.113883.3.464.1003.1029", "expansion": expansion}
    (sets / "set.json").write_text(json.dumps(value_set))
    both = lhn.here("codes", "unmapped", "--site", site, "--value-sets", sets, "--json")
    assert both.returncode == 0, both.stderr
    (sets / "set.json").write_text("{}")
    assert lhn.here("codes", "unmapped", "--site", site, "--value-sets", sets).returncode == 78


@pytest.mark.slow
def test_a_question_is_a_code_of_its_questionnaire(lhn: Network) -> None:
    """Its canonical URL and linkId: called by its words, mapped by a row, known then."""
    folder = lhn.folder / "delivery"
    folder.mkdir()
    answered = {
        "resourceType": "QuestionnaireResponse",
        "id": "r-1",
        "questionnaire": "https://ward.example/Questionnaire/pain|3",
        "status": "completed",
        "subject": {"reference": "Patient/kid-1"},
        "authored": "2026-03-02T10:00:00Z",
        "item": [{"linkId": "q1", "text": "Pain severity", "answer": [{"valueInteger": 4}]}],
    }
    (folder / "QuestionnaireResponse.ndjson").write_text(json.dumps(answered) + "\n")
    (lhn.folder / "map.csv").write_text(f"{HEADER}\n")
    path = lhn.files_site("west", folder, types=["QuestionnaireResponse"], code_map="map.csv")
    lhn.refresh(path)
    (row,) = json.loads(lhn.here("codes", "suggest", "--site", path, "--json").stdout)["codes"]
    assert (row["system"], row["code"]) == ("https://ward.example/Questionnaire/pain", "q1")
    assert (row["texts"], row["suggestions"][0]["code"]) == (["Pain severity"], "72514-3")
    (lhn.folder / "map.csv").write_text(f"{HEADER}\n{row['system']},q1,{LOINC},72514-3,\n")
    assert lhn.here("remap", "--site", path).returncode == 0
    assert "everything that is stored has a meaning" in lhn.here("codes", "unmapped", "--site", path).stdout


@pytest.mark.slow
def test_units_of_medicines_are_listed_too(lhn: Network) -> None:
    """Forms that are counted are known; a time is no amount."""
    folder = lhn.folder / "delivery"
    folder.mkdir()
    drug = {"coding": [{"system": RXNORM, "code": "327361"}]}
    dosage: dict[str, Any] = {
        "timing": {"repeat": {"boundsDuration": {"value": 2, "unit": "fortnights"}}},
        "doseAndRate": [{"doseRange": {"low": {"value": 1, "unit": "spoons of Ann"}}}],
    }
    given: dict[str, Any] = {
        "resourceType": "MedicationDispense",
        "id": "d-1",
        "status": "completed",
        "medicationCodeableConcept": drug,
        "subject": {"reference": "Patient/kid-1"},
        "dosageInstruction": [dosage],
    }
    rows = [given, given | {"id": "d-2", "dosageInstruction": [], "quantity": {"value": 3, "unit": "Blister"}}]
    rows.append(rows[1] | {"id": "d-3", "quantity": {"value": 20, "unit": "tablets"}})
    (folder / "MedicationDispense.ndjson").write_text("".join(f"{json.dumps(each)}\n" for each in rows))
    path = lhn.files_site("west", folder, types=["MedicationDispense"])
    lhn.refresh(path)
    found = json.loads(lhn.here("codes", "unmapped", "--site", path, "--json").stdout)["codes"]
    assert {(row["code"], row["count"], *row["types"]) for row in found} == {
        ("Blister", 1, "medication"),
        ("spoons of Ann", 1, "medication"),
    }


@pytest.mark.slow
def test_what_is_left_out_of_a_panel_is_listed_too(lhn: Network) -> None:
    """A component that is called by words alone has no record to be found by."""
    folder = lhn.folder / "delivery"
    folder.mkdir()
    panel = reading(1, coded("85354-9", "Blood pressure", LOINC), "mm[Hg]")
    value = panel.pop("valueQuantity")
    panel["component"] = [{"code": {"text": "Upper value"}, "valueQuantity": value}]
    other = {"code": coded("8462-4", "Diastolic", LOINC), "valueQuantity": value}
    whole = panel | {"id": "o-2", "component": [*panel["component"], other]}
    (folder / "Observation.ndjson").write_text(f"{json.dumps(panel)}\n{json.dumps(whole)}\n")
    (lhn.folder / "map.csv").write_text(f"{HEADER}\n")
    path = lhn.files_site("west", folder, types=["Observation"], code_map="map.csv")
    lhn.refresh(path)
    (row,) = json.loads(lhn.here("codes", "unmapped", "--site", path, "--json").stdout)["codes"]
    assert (row["code"], row["count"], row["target_system"]) == ("Upper value", 2, LOINC)
    (lhn.folder / "map.csv").write_text(f"{HEADER}\n,Upper value,{LOINC},8480-6,\n")
    remapped = json.loads(lhn.here("remap", "--site", path, "--json").stdout)
    assert remapped["types"]["Observation"]["recorded"] == 3
    assert "everything that is stored has a meaning" in lhn.here("codes", "unmapped", "--site", path).stdout


@pytest.mark.slow
def test_the_file_goes_back_as_the_code_map(lhn: Network, site: Path) -> None:
    """Written, filled in by people, checked, used: nothing is without a meaning then."""
    lhn.here("codes", "unmapped", "--site", site, "--csv", "open.csv")
    path = lhn.folder / "open.csv"
    assert path.stat().st_mode & 0o077 == 0
    opened = lhn.here("codes", "check", path)
    assert (opened.returncode, opened.stdout.count("target_code to be filled in")) == (78, 4)

    meant = {"HT": "8302-2", "Bm x 77": "59576-9", "Peak flow, ward B": "33452-4", "kilo stones": "[stone_av]"}
    with path.open(encoding="utf-8") as lines:
        rows = [row | {"target_code": meant[row["code"]]} for row in csv.DictReader(lines)]
    with (lhn.folder / "map.csv").open("w", encoding="utf-8") as file:
        out = csv.DictWriter(file, HEADER.split(","))
        out.writeheader()
        out.writerows(rows)
    checked = lhn.here("codes", "check", lhn.folder / "map.csv")
    assert checked.returncode == 0, checked.stdout
    assert "33452-4 has no row in the unit table" in checked.stdout
    asked = lhn.here("codes", "unmapped", "--site", site, "--json")
    waiting = json.loads(asked.stdout)
    assert (waiting["codes"], waiting["waiting"], waiting["waiting_lines"]) == ([], 3, 1), (
        "what is mapped now is not asked for again"
    )
    said = lhn.here("codes", "unmapped", "--site", site).stdout
    assert f"3 that the code map names are left out: `mainstem remap --site {site}` applies it" in said
    assert f"1 refused for a unit that has a meaning now: `mainstem quarantine retry --site {site}`" in said
    lhn.refresh(site, mode="full")
    assert "everything that is stored has a meaning" in lhn.here("codes", "unmapped", "--site", site).stdout


@pytest.mark.slow
def test_suggestions_come_from_words_and_know_units(lhn: Network, site: Path) -> None:
    """A table that ships; a height cannot be in kilograms."""
    lhn.here("codes", "suggest", "--site", site, "--csv", "suggested.csv")
    with (lhn.folder / "suggested.csv").open(encoding="utf-8") as lines:
        assert {row["code"]: row["target_code"] for row in csv.DictReader(lines)} == {
            "HT": "8302-2",
            "Bm x 77": "59576-9",
        }
    again = lhn.here("codes", "suggest", "--site", site, "--csv", "suggested.csv")
    assert (again.returncode, "there is such a file" in again.stderr) == (78, True)

    assert [each.code for each in suggestions(LOINC, ["Patient height (cm)"], ["cm"])] == ["8302-2"]
    assert suggestions(LOINC, ["Patient height (cm)"], ["kg"]) == []
    assert suggestions(LOINC, ["the colour of the wall"], []) == []
    assert suggestions(SNOMED, ["CYSTIC FIBROSIS"], [])[0].code == "190905008"
    assert suggestions(UCUM, ["Kilogrammes"], [])[0].code == "kg"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (f"{OURS},A,{LOINC},8302-3,", "its check digit is wrong"),
        (f"{OURS},A,{LOINC},9279-01-01,", "a spreadsheet turned it into a date"),
        (f"{OURS},A,http://snomed.info/sct,190905009,", "its check digit is wrong"),
        (f"{OURS},A,http://nobody.example/x,7,", "none that records name"),
        (f"{OURS},A,urn:mainstem:registry,The CF registry,", "is no word of urn:mainstem:registry"),
        (f"{OURS},A,urn:mainstem:consent,everything,", "is no word of urn:mainstem:consent: other, pro, qi"),
        (f"{OURS},A,urn:mainstem:ward,cf,", "none that records name"),
        (f"a system,A,{LOINC},8302-2,", "is no URI"),
        (f",lbs,{UCUM},poundish weights,", "is no unit of UCUM"),
        (f"{OURS},A,{LOINC},8302-2,\n{OURS},A ,http: //loinc.org,3137-7,", "contradicts line 2"),
    ],
)
def test_a_fault_of_a_code_map_is_named_with_its_line(lhn: Network, row: str, said: str) -> None:
    path = lhn.folder / "codes.csv"
    path.write_text(f"{HEADER}\n{row}\n")
    checked = lhn.here("codes", "check", path, "--json")
    assert checked.returncode == 78
    fault = [each for each in json.loads(checked.stdout)["findings"] if each["kind"] == "fault"]
    assert said in fault[0]["said"]
    assert fault[0]["line"] == len(row.splitlines()) + 1


MANGLED = {
    "1.23E+12": "rounded it",
    "4,8E+06": "rounded it",
    "1234.0": "took it for a number",
    "#NAME?": "no value there",
    "#N/A": "no value there",
    "2-Jan": "into a date",
    "Mar-05": "into a date",
    "02. Okt": "into a date",
    "01/02/2026": "into a date",
    "\u201cHT\u201d": "quotation marks",
    "H\u200bT": "nobody sees",
    "10676031000119100": "check digit is wrong",  # a spreadsheet keeps fifteen digits
}


def test_a_code_that_no_source_writes_is_noted(lhn: Network) -> None:
    """Its row would never be met: the source's code stays unmapped, and the map says that all is well."""
    path = lhn.folder / "codes.csv"
    systems = {code: "http://snomed.info/sct" if len(code) > 15 else OURS for code in MANGLED}
    rows = [f'{systems[code]},"{code}",{LOINC},8302-2,' for code in MANGLED]
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    checked = lhn.here("codes", "check", path, "--json")
    told = json.loads(checked.stdout)
    assert checked.returncode == 0
    for line, said in enumerate(MANGLED.values(), 2):
        assert [each["kind"] for each in told["findings"] if each["line"] == line and said in each["said"]] == ["note"]
    kept = (
        "HT",
        "1E5",
        "LAB-01",
        "12-ABC",
        "JUN-D",
        "1.0",
        "#12",
        "Crohn\u2019s",
        "10*3/uL",
        "ABC-12",
        "1/2",
        "Marker 12",
    )
    path.write_text("\n".join([HEADER, *(f"{OURS},{code},{LOINC},8302-2," for code in kept)]) + "\n")
    assert json.loads(lhn.here("codes", "check", path, "--json").stdout)["findings"] == []


def test_what_is_no_csv_is_an_error_of_ours(lhn: Network) -> None:
    path = lhn.folder / "codes.csv"
    path.write_text(f'{HEADER}\n"a"b,c,d,e,f\n')
    checked = lhn.here("codes", "check", path)
    assert (checked.returncode, "not CSV" in checked.stderr) == (78, True)


ROW = f"{OURS},HT,{LOINC},8302-2,"
SHEETS = {
    "semicolons": f"{HEADER}\n{ROW}\n".replace(",", ";"),
    "Excel's line above": "sep=;\r\n" + f"{HEADER}\r\n{ROW}\r\n".replace(",", ";"),
    "tabs": f"{HEADER}\n{ROW}\n".replace(",", "\t"),
    "a mark, Windows' line ends, quotes": "\ufeff"
    + f'{HEADER}\r\n"{OURS}","HT","{LOINC}","8302-2","a ""height"", standing"\r\n',
    "empty rows": f"{HEADER}\n\n{ROW}\n,,,,\n , , , ,\n",
    "empty columns": f"{HEADER},,\n{ROW},,\n",
    "another order, one that nobody knows": f"note,owner,code,system,target_code,target_system\n,Ann,HT,{OURS},8302-2,{LOINC}\n",
    "names as people write them": f"System, Code,Target System ,Target_Code\n{ROW}\n",
    "a column less": f"system,code,target_system,target_code\n{OURS},HT,{LOINC},8302-2\n",
    "a cell of two lines": f'{HEADER}\n{ROW}"one\ntwo"\n',
    "the target's OID": f"{HEADER}\n{OURS},HT,2.16.840.1.113883.6.1,8302-2,\n",
}


@pytest.mark.parametrize("sheet", SHEETS)
def test_a_code_map_is_read_as_spreadsheets_write_it(lhn: Network, sheet: str) -> None:
    path = lhn.folder / "codes.csv"
    path.write_bytes(SHEETS[sheet].encode())
    (row,) = read_code_map(path)
    assert (row.system, row.code, row.target_code) == (OURS, "HT", "8302-2")
    assert code_map([row]) == {(OURS, "HT"): {LOINC: "8302-2"}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column system, code, target_system, target_code"),
        (f"{HEADER},code\n{ROW},\n", "twice the column code"),
        ("system;code;target_system\nx;y;z\n", "no column target_code"),
    ],
)
def test_a_code_map_without_its_columns_is_refused(lhn: Network, text: str, said: str) -> None:
    path = lhn.folder / "codes.csv"
    path.write_text(text)
    with pytest.raises(OperatorError, match=said):
        read_code_map(path)


def test_an_oid_is_one_however_it_is_written() -> None:
    """People copy it without `urn:oid:`; a feed that writes it so names no system."""
    meant = {UCUM: "kg"}
    rows = [CodeMapRow("1.2.840.114350.1", "7", UCUM, "kg")]
    assert code_map(rows) == {("urn:oid:1.2.840.114350.1", "7"): meant, ("", "7"): meant}


def test_a_network_ships_a_map_and_the_sites_own_rows_win(lhn: Network, site: Path) -> None:
    """Both are applied; where they contradict, it is named."""
    (lhn.folder / "network.csv").write_text(f"{HEADER}\n{OURS},HT,{LOINC},3137-7,\n,kilo stones,{UCUM},kg,\n")
    (lhn.folder / "map.csv").write_text(f"{HEADER}\n{OURS},HT,{LOINC},8302-2,\n")
    site.write_text(f'shared_code_map = "network.csv"\n{site.read_text()}')
    report = lhn.refresh(site, mode="full")
    assert (report.total.amended, report.total.recorded) == (4, 1)
    checked = lhn.here("codes", "check", "map.csv", "--shared", "network.csv")
    assert "the network's map says 3137-7, the site's 8302-2, which wins" in checked.stdout


def test_the_table_of_synonyms_holds_codes() -> None:
    """Each has its system's form; units are of the closed list."""
    from importlib.resources import files

    with files("mainstem.commands.codes").joinpath("synonyms.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        if row["system"] == "ucum":
            assert is_listed(row["code"]), row
        else:
            assert code_fault(SYSTEMS[row["system"]], row["code"]) is None, row
    words = [(row["system"], each) for row in rows for each in row["words"].split("|")]
    assert sorted(set(words)) == sorted(words)


def test_every_record_type_with_a_code_says_in_which_system(lhn: Network) -> None:
    """Where the mapping counts a code as unmapped, the command knows what it is looked for in."""
    for name in ("observation", "condition", "procedure", "medication", "immunization"):
        assert name in RECORD_TYPES
        assert target_of(name)


@pytest.mark.slow
def test_a_visits_class_and_an_answer_without_a_meaning_are_listed_until_they_have_one(lhn: Network) -> None:
    """Though no record carries them as its own code; a row of the code map, and they are gone."""
    folder, wards = lhn.folder / "delivery", "https://ward.example/classes"
    folder.mkdir()
    visit = {
        "resourceType": "Encounter",
        "id": "v1",
        "status": "finished",
        "class": {"system": wards, "code": "day-unit", "display": "Day unit"},
        "subject": {"reference": "Patient/kid-1"},
        "period": {"start": "2026-03-02T10:00:00Z"},
    }
    form = {
        "resourceType": "QuestionnaireResponse",
        "id": "f1",
        "status": "completed",
        "subject": {"reference": "Patient/kid-1"},
        "authored": "2026-03-02T10:00:00Z",
        "item": [{"linkId": "/44250-9", "answer": [{"valueCoding": {"system": OURS, "code": "often"}}]}],
    }
    (folder / "Encounter.ndjson").write_text(json.dumps(visit) + "\n")
    (folder / "QuestionnaireResponse.ndjson").write_text(json.dumps(form) + "\n")
    site = lhn.files_site("west", folder, types=["Encounter", "QuestionnaireResponse"], code_map="map.csv")
    (lhn.folder / "map.csv").write_text(f"{HEADER}\n")
    lhn.refresh(site)

    def unmapped() -> set[tuple[str, str, str]]:
        found = json.loads(lhn.here("codes", "unmapped", "--site", site, "--json").stdout)["codes"]
        return {(row["system"], row["code"], row["target_system"]) for row in found}

    classes = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
    assert unmapped() >= {(wards, "day-unit", classes), (OURS, "often", LOINC)}
    (lhn.folder / "map.csv").write_text(f"{HEADER}\n{wards},day-unit,{classes},AMB,\n{OURS},often,{LOINC},LA6570-1,\n")
    lhn.refresh(site)
    assert not {"day-unit", "often"} & {code for _, code, _ in unmapped()}


@pytest.mark.slow
def test_words_of_the_networks_own_are_asked_for_and_checked(lhn: Network) -> None:
    """A registry that is named in words alone, a purpose that nobody knows: each has a row to be filled in, which is right."""
    folder = lhn.folder / "delivery"
    folder.mkdir()
    ours = {"coding": [{"system": OURS, "code": "OK-RES"}], "text": "Research"}
    lines = {
        "EpisodeOfCare": {"status": "active", "type": [{"text": "CF Registry"}]},
        "Consent": {"status": "active", "scope": ours, "dateTime": "2026-03-02", "provision": {"type": "permit"}},
    }
    for name, fields in lines.items():
        line = {"resourceType": name, "id": "x", "patient": {"reference": "Patient/kid-1"}, **fields}
        (folder / f"{name}.ndjson").write_text(json.dumps(line) + "\n")
    path = lhn.files_site("west", folder, types=list(lines), code_map="map.csv")
    (lhn.folder / "map.csv").write_text(f"{HEADER}\n")
    lhn.refresh(path)
    assert lhn.here("codes", "unmapped", "--site", path, "--csv", "open.csv").returncode == 0
    rows = (lhn.folder / "open.csv").read_text().splitlines()[1:]
    wanted = {("", "CF Registry", "urn:mainstem:registry"): "cf", (OURS, "OK-RES", "urn:mainstem:consent"): "research"}
    assert {tuple(row.split(",")[:3]) for row in rows} == set(wanted)
    filled = "".join(f"{','.join(key)},{word},\n" for key, word in wanted.items())
    (lhn.folder / "map.csv").write_text(f"{HEADER}\n{filled}")
    checked = lhn.here("codes", "check", "map.csv")
    assert checked.returncode == 0, checked.stdout
    assert lhn.here("quarantine", "retry", "--site", path).returncode == 0
