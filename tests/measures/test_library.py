"""The library: a file that cannot be used names file and line and takes down no other; a definition that changes is a new version."""

from dataclasses import replace
from pathlib import Path

import pytest

from services.measures.declared import Change, Measure
from services.measures.library import FOLDER, measures, read_measures

CITED = Path(__file__).parent / "cited.txt"
"""Id, version and checksum of every definition as it was last given out."""


def _beside_cf2(tmp_path: Path, text: str) -> tuple[dict[str, Measure], str]:
    broken = tmp_path / "broken.py"
    broken.write_text(text)
    found, wrong = read_measures([broken, FOLDER / "cf2.py"])
    (fault,) = wrong
    return found, str(fault)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\n\nMEASURE = Measure(\n", "broken.py:3: SyntaxError"),
        ("import services\n\nMEASURE = services.nothing\n", "broken.py:3: AttributeError"),
        ("A = 1\n", "broken.py:1: TypeError: it holds no MEASURE"),
        (
            "from services.measures.library.code_sets import code_set\nA = code_set('gout')\n",
            "broken.py:2: ValueError: no code set gout",
        ),
        (
            "from services.measures.language.events import THIS\nfrom services.measures.library.shared import VISITS\n"
            "MEASURE = VISITS.where(THIS.field('statuss').one_of('finished'))\n",
            "broken.py:3: ValueError: a record of the type encounter has no field statuss",
        ),
        (
            "from services.measures.library.shared import SEEN\n\nA = SEEN.event.field('clas').known\n",
            "broken.py:3: ValueError: a record of the type encounter has no field clas",
        ),
        (
            "from services.measures.library.cf2 import LAST\nA = LAST.event.value.compare('=>', '50')\n",
            "broken.py:2: ValueError: numbers are compared by <, <=, >, >=, not by =>",
        ),
        (
            "from dataclasses import replace\nfrom services.measures.library.cf2 import MEASURE as CF2\n"
            "MEASURE = replace(\n    CF2, id='CF-9', chart='u'\n)\n",
            "broken.py:3: ValueError: CF-9: a share is drawn as p or pp, not as u",
        ),
    ],
)
def test_broken_file_is_told_by_line_and_takes_down_no_other(tmp_path: Path, text: str, told: str) -> None:
    found, fault = _beside_cf2(tmp_path, text)
    assert list(found) == ["cf2"]
    assert fault.startswith(told)


def test_two_files_of_one_measure_are_told(tmp_path: Path) -> None:
    found, fault = _beside_cf2(tmp_path, (FOLDER / "cf2.py").read_text())
    assert list(found) == ["cf2"]
    assert "another file declares CF-2" in fault


def test_changed_definition_is_a_new_version() -> None:
    """What is counted otherwise has another checksum: give it a new `Change` with its month, then write the line of it here."""
    now = "".join(f"{one.id} {one.version} {one.checksum}\n" for one in measures().values())
    assert CITED.read_text() == now


def test_checksum_is_of_what_is_counted_and_not_of_texts() -> None:
    cf2 = measures()["cf2"]
    assert replace(cf2, rationale="Other words.").checksum == cf2.checksum
    assert replace(cf2, who=replace(cf2.who, denominator=None)).checksum != cf2.checksum
    newer = replace(cf2, changes=(*cf2.changes, Change("2", "2027-01", "Adults too")))
    assert newer.version == "2"
