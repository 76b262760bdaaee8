"""Worked cases of measures, in tables that a clinician can check: `tests/measures/worked/<measure>.md`.

A file says the period, what everyone has, and in a table what each case has otherwise and what comes of it. What people have is
written in phrases, `;` between them:

    born 2016-05-20 · died 2026-10-03 · sex female · without visit (or diagnosis): what everyone has is not there
    diagnosis asthma [since 2025-01-01] [refuted|provisional] [at the visit]        codes by the name of their set
    visit 2026-10-05 [planned|cancelled|emergency|stay|video] [stored 2026-11-04]
    result hba1c 6.9 on 2026-10-05 [flagged|preliminary …] [above|below: the number is a bound]
    worked out bmi-z -0.5 on 2026-10-05 · assessed remission on 2026-10-05
    medicine systemic-steroids from 2026-09-01 [to 2026-10-01] [by mouth|by skin]
    done nutrition-counselling on 2026-10-05 · screened on 2026-10-05 · enrolled 2020-01-01 [to 2026-09-30]
    set aside 2026-10-01 to 2026-12-31

Any phrase may end with `, amended to <phrase>` (the record came twice; the second stands), `, withdrawn`, or
`, replaced by <phrase>` (another record names it as what it replaces).
Outcomes: out · unknown · not measured · not reached · reached · excluded · set aside · a number · 2 events in 31 days
"""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from services.measures.library.code_sets import code_set

FOLDER = Path(__file__).parents[1] / "measures" / "worked"
ROUTES = {"mouth": "26643006", "vein": "47625008", "skin": "6064005"}
CLASSES = {"emergency": "EMER", "stay": "IMP", "video": "VR"}
SITE = "north"


class Written(NamedTuple):
    """What a phrase says: the record's contents in the order in which they came; then whether it was withdrawn."""

    contents: list[dict[str, Any]]
    withdrawn: bool


@dataclass
class Case:
    """One row of a table."""

    name: str
    outcome: str
    person: dict[str, Any] = field(default_factory=dict)
    written: list[Written] = field(default_factory=list)

    @property
    def subject(self) -> str:
        """Its pseudonym."""
        return "s-" + uuid.uuid5(uuid.NAMESPACE_OID, self.name).hex


class Worked(NamedTuple):
    """One file."""

    slug: str
    period: str
    cases: list[Case]


def worked_files() -> list[Path]:
    """Every file of worked cases."""
    return sorted(FOLDER.glob("*.md"))


def read(path: Path) -> Worked:
    """The cases of a file."""
    text = path.read_text(encoding="utf-8")
    period, everyone = (re.search(rf"^{name}: (.+)$", text, re.M) for name in ("Period", "Everyone"))
    assert period is not None, path.name
    assert everyone is not None, path.name
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")
    ]
    return Worked(path.stem, period[1], [_case(path.stem, everyone[1], *row) for row in rows[1:]])


def _case(slug: str, everyone: str, name: str, otherwise: str, outcome: str) -> Case:
    case = Case(f"{slug}: {name}", outcome)
    phrases = [each.strip() for each in otherwise.split(";") if each.strip() not in ("", "–")]
    left_out = {phrase.removeprefix("without ") for phrase in phrases if phrase.startswith("without ")}
    own = [phrase for phrase in phrases if not phrase.startswith("without ")]
    common = [each.strip() for each in everyone.split(";") if each.strip() and each.split()[0] not in left_out]
    for phrase in (*common, *own):
        _say(case, phrase)
    return case


def _say(case: Case, phrase: str) -> None:
    word, _, rest = phrase.partition(" ")
    if word in ("born", "died", "sex"):
        case.person[{"born": "birth_date", "died": "death_date", "sex": "sex"}[word]] = rest
        return
    old, replaced, new = phrase.partition(", replaced by ")
    if replaced:
        for each in (old, new):
            _say(case, each)
        case.written[-1].contents[0]["replaces"] = [_id(case, str(len(case.written) - 2))]
        return
    spoken, *later = re.split(r", amended to |, (?=withdrawn$)", phrase)
    withdrawn = later[-1:] == ["withdrawn"]
    contents = [_record(case, each) for each in (spoken, *(later[:-1] if withdrawn else later))]
    case.written.append(Written(contents, withdrawn))


def _record(case: Case, phrase: str) -> dict[str, Any]:
    word, _, rest = phrase.partition(" ")
    return {name: value for name, value in PHRASES[word](case, rest.split()).items() if value is not None}


def _dated(words: list[str], preposition: str) -> str | None:
    return words[words.index(preposition) + 1] if preposition in words else None


def _coded(name: str, *, whole: bool = True) -> dict[str, Any]:
    """A code of a set, where a record of its kind has it normalised."""
    found = code_set(name)
    if found.codes:
        return {"code": found.codes[0].code}
    return {"icd10cm": f"{found.categories[0].code}.0"}


def _diagnosis(case: Case, words: list[str]) -> dict[str, Any]:
    found = code_set(words[0])
    by_icd = next((each.code for each in found.codes if "icd-10" in each.system), None)
    code = {"icd10cm": by_icd} if by_icd == found.codes[0].code else _coded(words[0])
    status = next((each for each in words if each in ("refuted", "provisional")), "confirmed")
    content = {"type": "condition", **code, "onset_date": _dated(words, "since"), "verification_status": status}
    if "visit" in words:
        content["encounter"] = next(
            each.contents[0]["id"] for each in case.written if each.contents[0]["type"] == "encounter"
        )
    return content


def _visit(case: Case, words: list[str]) -> dict[str, Any]:
    status = next((each for each in words if each in ("planned", "cancelled")), "finished")
    kind = next((CLASSES[each] for each in words if each in CLASSES), "AMB")
    content = {"type": "encounter", "start_date": words[0], "end_date": words[0], "status": status, "class_code": kind}
    name = f"{case.name} visit {words[0]}"
    return content | {"id": "r-" + uuid.uuid5(uuid.NAMESPACE_OID, name).hex, "stored": _dated(words, "stored")}


def _result(_case: Case, words: list[str]) -> dict[str, Any]:
    bound = {"above": ">", "below": "<"}
    status = next((each for each in words if each in ("preliminary", "cancelled", "registered")), "final")
    content = {"type": "observation", **_coded(words[0]), "effective_date": _dated(words, "on"), "status": status}
    if "none" not in words:
        content["value"] = words[1]
    comparator = next((bound[each] for each in words if each in bound), None)
    return content | {"comparator": comparator, "flags": ["implausible-high"] if "flagged" in words else None}


def _worked_out(_case: Case, words: list[str]) -> dict[str, Any]:
    content = {"type": "derived_observation", "quantity": words[1], "method": words[1], "method_version": "1"}
    return content | {"value": words[2], "effective_date": _dated(words, "on")}


def _assessed(_case: Case, words: list[str]) -> dict[str, Any]:
    content = {"type": "derived_observation", "quantity": "disease state", "method": "pga-state", "method_version": "1"}
    return content | {"value": "0", "value_code": words[0], "effective_date": _dated(words, "on")}


def _medicine(_case: Case, words: list[str]) -> dict[str, Any]:
    content = {"type": "medication", "kind": "ordered", **_coded(words[0]), "start_date": _dated(words, "from")}
    route = next((ROUTES[each] for each in words if each in ROUTES), None)
    status = next((each for each in words if each in ("cancelled", "stopped")), "active")
    content |= {"end_date": _dated(words, "to"), "status": status, "intent": "order"}
    return content | {"route": [{"system": "http://snomed.info/sct", "code": route}] if route else None}


def _done(_case: Case, words: list[str]) -> dict[str, Any]:
    status = "not-done" if "not" in words else "completed"
    return {"type": "procedure", **_coded(words[0]), "performed_date": _dated(words, "on"), "status": status}


def _screened(_case: Case, words: list[str]) -> dict[str, Any]:
    content = {"type": "observation", **_coded("depression-screening"), "effective_date": _dated(words, "on")}
    return content | {
        "value_codings": [{"system": "http://snomed.info/sct", "code": "428171000124102"}],
        "status": "final",
    }


def _enrolled(_case: Case, words: list[str]) -> dict[str, Any]:
    return {"type": "enrolment", "start_date": words[0], "end_date": _dated(words, "to"), "status": "active"}


def _set_aside(case: Case, words: list[str]) -> dict[str, Any]:
    content = {"type": "set_aside", "since_date": words[1], "until_date": words[3], "reason": "other-care"}
    return content | {"by": "site"}


PHRASES = {
    "diagnosis": _diagnosis,
    "visit": _visit,
    "result": _result,
    "worked": _worked_out,
    "assessed": _assessed,
    "medicine": _medicine,
    "done": _done,
    "screened": _screened,
    "enrolled": _enrolled,
    "set": _set_aside,
}


def records_of(case: Case) -> Iterator[tuple[list[dict[str, Any]], bool]]:
    """Each record's contents in the order in which they came, with ids, and whether it was withdrawn in the end."""
    own = {"subject": case.subject, "site": SITE}
    yield [{"type": "person", "id": _id(case, "person"), **own, **case.person}], False
    for number, written in enumerate(case.written):
        kept = written.contents[0].get("id") or _id(case, str(number))
        yield [content | own | {"id": kept} for content in written.contents], written.withdrawn


def _id(case: Case, name: str) -> str:
    return "r-" + uuid.uuid5(uuid.NAMESPACE_OID, f"{case.name} {name}").hex
