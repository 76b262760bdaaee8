"""A family's own page: in by a code once, what it shows by who looks, what they say, who looked; and whoever has no business here."""

import os
import re
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from sqlite3 import connect
from threading import Event

import pytest
from browser import browser, violations
from fastapi.testclient import TestClient
from pages_served import serving
from services_cases import event_of, record_id, subject_id
from services_story import NOW, fibrosis, fill, load_events, person, population, visit
from sqlalchemy import Engine, delete, insert, select
from streams import Stream
from viewers import FORM, gate_for

from mainstem.commands.home import at_the_centre
from mainstem.config.settings import Settings
from mainstem.consumer.subjects import FoundSubject, Subjects, metadata
from schemas.outcomes import Condition, DerivedObservation, Goal, Observation
from schemas.subjects import SubjectEvent
from services.access.database import AccessDatabase
from services.access.families import form_token
from services.access.viewers import Role
from services.home.app import COOKIE, TRIES_PER_MINUTE, Home, make_home
from services.home.knowledge import count_known
from services.home.telling import Fact, tell
from services.pages.app import make_app
from services.people.age_policy import AgePolicy
from services.people.contests import ContestReason, raise_contest
from services.people.families import GOOD_FOR, Who, make_link
from services.people.issues import follow_issue, merge_issue
from services.people.voices import forms
from services.registry.database import reading, writing
from services.registry.erasure import GROUP, erase
from services.registry.handler import apply
from services.registry.said import amendment_voice
from services.registry.tables import (
    RECORD_TABLES,
    consent_request,
    contest,
    family_answer,
    family_link,
    issue_follow,
    issue_raised,
)
from services.research.counting import count

SITE = "west"
PAGES = ("/", "/say/before", "/say/after", "/raise", "/proposals", "/looked", "/consent")
PLANTED = "My name is Quilla Planted, call 555-0123"


def derived(name: str, method: str, value: float, day: str, code: str | None = None) -> DerivedObservation:
    """A value of a patient's."""
    names = {"id": record_id(f"d{name}{method}{day}"), "subject": subject_id(name), "site": SITE}
    content = {"quantity": "x", "unit": "%", "method": method, "method_version": "1", "value": value}
    when = {"effective_date": day, "effective": datetime.fromisoformat(f"{day}T12:00:00Z")}
    return DerivedObservation.model_validate(names | content | when | {"value_code": code, "inputs": []})


def diabetes(name: str) -> Condition:
    names = {"id": record_id("c" + name), "subject": subject_id(name), "site": SITE}
    return Condition.model_validate(names | {"code": "46635009"})


def goal(name: str, value: float) -> Goal:
    names = {"id": record_id("g" + name), "subject": subject_id(name), "site": SITE}
    return Goal.model_validate(
        names | {"kind": "goal", "measure": "4548-4", "value_high": value, "lifecycle_status": "active"}
    )


@dataclass
class Clinic:
    """The families' page of a small network, and the staff's beside it."""

    registry: Engine
    folder: Path
    home: Home

    @property
    def now(self) -> datetime:
        return self.home.clock()

    def code(self, name: str, who: Who = Who.SELF, ends: date | None = None) -> str:
        with writing(self.registry) as connection:
            return make_link(connection, SITE, subject_id(name), who, by="Ruth", at=self.now, ends=ends)

    def device(self, **options: object) -> TestClient:
        return TestClient(make_home(self.home, **options), follow_redirects=False)  # type: ignore[arg-type]

    def inside(self, name: str, who: Who = Who.SELF, ends: date | None = None) -> TestClient:
        """A device that came in by a code of its own."""
        device = self.device()
        assert device.post("/enter", data={"code": self.code(name, who, ends)}).status_code == 303
        return device

    def staff(self, role: Role = Role.CLINICIAN) -> TestClient:
        return TestClient(
            make_app(self.registry, network="lhn", gate=gate_for(self.folder, role, SITE), clock=self.home.clock)
        )


def token(device: TestClient) -> dict[str, str]:
    return {next(iter(FORM)): form_token(device.cookies[COOKIE])}


@pytest.fixture
def clinic(small_registry: Engine, tmp_path: Path) -> Clinic:
    """Ada, 15, has diabetes, a goal and a visit; Ben, 6, has cystic fibrosis; Cleo, 18, too."""
    fill(
        small_registry,
        [
            person("ada", site=SITE, born="2011-03-01"),
            person("ben", site=SITE, born="2020-05-20"),
            person("cleo", site=SITE, born="2008-05-20"),
            diabetes("ada"),
            fibrosis("ben", site=SITE),
            fibrosis("cleo", site=SITE),
            goal("ada", 7.5),
            visit("ada", "2026-12-01", site=SITE, status="planned"),
            visit("ada", "2026-12-24", site=SITE, status="planned", appointment_status="cancelled"),
            derived("ada", "hba1c-band", 9.4, "2025-11-05", "above-9"),
            derived("ada", "hba1c-band", 8.1, "2026-06-05", "8-to-9"),
            derived("ben", "fev1-percent-predicted-gli2022", 91, "2026-11-05"),
        ],
        load_events(),
    )
    access = AccessDatabase.open(f"sqlite:///{tmp_path}/access.db")
    return Clinic(small_registry, tmp_path, Home(small_registry, access, "lhn", AgePolicy.load(), False, lambda: NOW))


def test_a_code_opens_one_page_once_and_shows_how_things_go(clinic: Clinic) -> None:
    """However it is typed; a second device does not get in by it; the goal, the visit, what is due stand there."""
    code, device = clinic.code("ada"), clinic.device()
    assert device.get("/").headers["location"] in OUT
    assert device.post("/enter", data={"code": code.lower().replace("-", " ").replace("0", "o")}).status_code == 303
    page = device.get("/").text
    assert "1 December 2026" in page or "December 1, 2026" in page
    assert "December 24" not in page
    assert "HbA1c: 8.1 %" in page
    assert "An HbA1c test: last done on June 5, 2026" in page
    assert "Questions about mood: not done yet" in page
    assert "Lower is better" in page
    assert "±" not in page
    picture = device.get("/pictures/hba1c.svg").text
    assert "my goal" in picture
    assert device.get("/pictures/growth.svg").status_code == 404
    assert clinic.device().post("/enter", data={"code": code}).status_code == 403
    assert subject_id("ada") not in page


def test_a_page_waits_for_no_count_of_the_network(clinic: Clinic) -> None:
    """While others are counted it says so; once they are, it tells of them, or that they are too few."""
    clinic.home.memory.beside = True
    device = clinic.inside("ada")
    assert "Others are being counted right now" in device.get("/").text
    count_known(clinic.registry, clinic.home.memory, clinic.home.clock, Event())
    assert "Too few people were counted yet" in device.get("/").text


def test_any_goal_of_theirs_is_drawn_in_the_series_of_its_measure(clinic: Clinic) -> None:
    """Which way is meant, whether it is reached; in its unit alone; not a guardian's of a teenager, nor of what is over."""

    def one(code: str, number: int, **given: object) -> Goal:
        names = {"id": record_id(f"own{number}"), "subject": subject_id("ada"), "site": SITE, "measure": code}
        return Goal.model_validate(names | {"kind": "goal", "lifecycle_status": "active"} | given)

    def seen(code: str, value: float, unit: str, day: str) -> Observation:
        names = {"id": record_id(f"v{code}{day}{unit}"), "subject": subject_id("ada"), "site": SITE, "code": code}
        return Observation.model_validate(
            names | {"value": value, "unit": unit, "effective_date": day, "status": "final"}
        )

    fill(
        clinic.registry,
        [
            one("97510-2", 1, value_low=70, unit="%"),
            one("8480-6", 2, value=120, comparator="<=", unit="mm[Hg]"),
            one("29463-7", 3, value_low=50, value_high=55, unit="kg"),
            one("55423-8", 4, value=8000, unit="{steps}", lifecycle_status="cancelled"),
            one("44261-6", 5, value_high=5, unit="{score}"),
            seen("97510-2", 61, "%", "2026-05-05"),
            seen("97510-2", 72.5, "%", "2026-11-05"),
            seen("8480-6", 125, "mm[Hg]", "2026-11-05"),
            seen("29463-7", 52, "kg", "2026-11-05"),
            seen("29463-7", 114, "[lb_av]", "2026-11-06"),
            seen("55423-8", 4000, "{steps}", "2026-11-05"),
            seen("44261-6", 4, "{score}", "2026-11-05"),
        ],
    )
    own, guardian = clinic.inside("ada"), clinic.inside("ada", Who.GUARDIAN, date(2029, 3, 1))
    page = own.get("/").text
    for said in (
        "Glucose sensor: time in range: 72.5 % on November 5, 2026",
        "Higher is better: my goal is 70 % or more. The goal is reached.",
        "Lower is better: my goal is 120 mm[Hg] or less. The goal is not reached yet.",
        "Weight: 52 kg on November 5, 2026",
        "My goal is from 50 kg to 55 kg. The goal is reached.",
        "Mood (PHQ-9)",
    ):
        assert said in page
    assert "Steps" not in page
    picture = own.get("/pictures/goal-97510-2.svg")
    assert (picture.status_code, "my goal" in picture.text) == (200, True)
    theirs = guardian.get("/").text
    assert not [name for name in ("Mood (PHQ-9)", "time in range", "Weight: 52") if name in theirs]
    assert guardian.get("/pictures/goal-97510-2.svg").status_code == 404


def test_it_is_in_the_language_that_was_chosen(clinic: Clinic) -> None:
    device = clinic.inside("ada")
    assert device.get("/language/es?to=/").headers["location"] == "/"
    page = device.get("/").text
    assert '<html lang="es">' in page
    assert "La próxima visita" in page
    assert "1 de diciembre de 2026" in page
    assert "HbA1c: 8,1 % el 5 de junio de 2026" in page
    assert "mi meta" in device.get("/pictures/hba1c.svg").text
    assert device.get("/language/xx").status_code == 404
    assert device.get("/language/en?to=//elsewhere.example").status_code in (303, 404)
    assert "elsewhere" not in device.get("/language/en?to=/").headers["location"]


def test_a_guardian_of_a_teenager_sees_less_and_of_a_child_all(clinic: Clinic) -> None:
    """By the policy of ages: mood and the teenager's own answers are the teenager's."""
    own, guardian = clinic.inside("ada"), clinic.inside("ada", Who.GUARDIAN, date(2029, 3, 1))
    own.post("/say/before", data=token(own) | {"topic": "mood", "overall": "3"})
    assert "Mood and worries (" not in own.get("/say/before").text
    assert "How have you been since the last visit? 3" in own.get("/say/before").text
    assert "Questions about mood" in own.get("/").text
    assert "Questions about mood" not in guardian.get("/").text
    assert "HbA1c: 8.1" in guardian.get("/").text
    assert "last visit? 3" not in guardian.get("/say/before").text
    child = clinic.inside("ben", Who.GUARDIAN)
    child.post("/say/before", data=token(child) | {"overall": "9"})
    assert "last visit? 9" in child.get("/say/before").text


@pytest.mark.parametrize(
    ("site", "who", "born", "may", "ends"),
    [
        ("west", Who.GUARDIAN, date(2010, 2, 1), True, date(2028, 2, 1)),
        ("ala", Who.GUARDIAN, date(2010, 2, 1), True, date(2029, 2, 1)),
        ("west", Who.GUARDIAN, date(2012, 2, 29), True, date(2030, 3, 1)),
        ("west", Who.GUARDIAN, date(2008, 2, 1), False, date(2026, 2, 1)),
        ("ala", Who.GUARDIAN, date(2008, 2, 1), True, date(2027, 2, 1)),
        ("west", Who.SELF, date(2014, 2, 1), False, None),
        ("west", Who.SELF, date(2013, 11, 20), True, None),
        ("west", Who.SELF, date(2013, 11, 21), False, None),
    ],
)
def test_who_may_have_a_code_and_until_when(site: str, who: Who, born: date, may: bool, ends: date | None) -> None:
    """By age and state."""
    policy = AgePolicy(
        {
            "default": {"teenager_from": 13, "majority": 18, "withheld_from_guardian": ["mood"]},
            "state": {"AL": {"majority": 19}},
            "site": {"ala": "AL"},
        }
    ).of(site)
    years = NOW.year - born.year - ((NOW.month, NOW.day) < (born.month, born.day))
    assert (policy.may_have(who, years), policy.ends(who, born)) == (may, ends)


def test_what_is_said_reaches_the_care_team_and_its_words_nobody_else(clinic: Clinic) -> None:
    """Numbers and topics become records of the centre's, once; words stay; a form of another device is refused."""
    device, other = clinic.inside("ada"), clinic.inside("ben", Who.GUARDIAN)
    said = {"overall": "4", "pain": "", "topic": ["food", "nonsense"], "words": PLANTED}
    assert device.post("/say/before", data=said).status_code == 403
    assert device.post("/say/before", data=token(other) | said).status_code == 403
    assert "Thank you" in device.post("/say/before", data=token(device) | said).text
    assert device.post("/say/before", data=token(device) | {"overall": "11"}).status_code == 422
    assert device.post("/say/before", data=token(device) | {"words": "x" * 1001}).status_code == 422
    assert device.post("/say/elsewhere", data=token(device)).status_code == 404
    page = clinic.staff().get(f"/patients/{SITE}/{subject_id('ada')}/family").text
    assert PLANTED in page
    assert "Food and growth" in page

    kept: list[tuple[str, Fact]] = []

    def told() -> int:
        return tell(
            clinic.registry, lambda facts: kept.extend((kind, each) for kind in facts for each in facts[kind]), at=NOW
        )

    assert told() == 2
    assert told() == 0
    assert {(kind, type(each.fact).__name__) for kind, each in kept} == {
        ("QuestionnaireResponse", "ProResponse"),
        ("Communication", "Issue"),
    }
    assert all(each.subject.hex() == subject_id("ada").removeprefix("s-") for _, each in kept)
    assert not any("Planted" in repr(each) or "555-0" in repr(each) for each in kept)
    with reading(clinic.registry) as connection:
        (words,) = connection.execute(select(family_answer).where(family_answer.c.kind == "words")).mappings()
    assert words["told"] is None


def test_a_button_pressed_twice_opens_the_page_once_more_and_no_other_browser(clinic: Clinic) -> None:
    """A browser heeds the second answer alone; who has the code and not the sheet, or comes later, stays outside."""
    code, device = clinic.code("ada"), clinic.device()
    (sheet,) = re.findall(r'name="sheet" value="([^"]+)"', device.get("/enter").text)
    pressed = {"code": code, "sheet": sheet}
    assert [device.post("/enter", data=pressed).status_code for _ in range(2)] == [303, 303]
    assert device.get("/").status_code == 200
    for other in ({"code": code}, {"code": code, "sheet": ""}, {"code": code, "sheet": "guessed"}):
        assert clinic.device().post("/enter", data=other).status_code == 403
    clinic.home.clock = lambda: NOW + timedelta(minutes=1)
    assert clinic.device().post("/enter", data=pressed).status_code == 403


def test_a_code_that_opens_nothing_stands_to_be_put_right(clinic: Clinic) -> None:
    """With blanks, dots, in lower case and with O for 0 it opens; a mistyped one is not to be typed anew."""
    code = clinic.code("ada")
    device = clinic.device()
    assert 'value="MIST-YPED-CODE"' in device.post("/enter", data={"code": "MIST-YPED-CODE"}).text
    typed = " ".join(code.lower().replace("0", "o").replace("1", "l").replace("-", " . "))
    assert len(typed) <= 40
    assert device.post("/enter", data={"code": typed}).status_code == 303


def test_a_device_that_is_no_longer_in_is_told_so_and_what_it_sent(clinic: Clinic) -> None:
    """Not as one that never was; the next code opens the page again."""
    device, never = clinic.inside("ada"), clinic.device()
    mine = token(device)
    with writing(clinic.registry) as connection:
        connection.execute(family_link.update().values(revoked=NOW))
    assert never.get("/").headers["location"] in OUT
    assert "no longer logged in. Your clinic" in device.get(device.get("/").headers["location"]).text
    sent = device.post("/raise", data=mine | {"about": "care", "words": "Long words"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/enter?over=post")
    assert "did not arrive" in device.get("/enter?over=post").text


def test_a_form_sent_twice_is_one_and_an_empty_one_none(clinic: Clinic) -> None:
    """A button pressed twice, a page loaded again; another answer within the hour is another form, and so is the same on another day."""
    device = clinic.inside("ada")
    mine, best = token(device), dict.fromkeys((question.code for question in forms()["after"].questions), "9")

    def kept() -> int:
        with reading(clinic.registry) as connection:
            return len(connection.execute(select(family_answer)).all())

    for _ in range(2):
        assert "Your care team reads it" in device.post("/say/after", data=mine | best).text
    assert kept() == 3
    assert "Nothing is filled in yet" in device.post("/say/after", data=mine).text
    device.post("/say/after", data=mine | best | {"understood": "8"})
    assert kept() == 6
    clinic.home.clock = lambda: NOW + timedelta(days=1)
    device.post("/say/after", data=mine | best | {"understood": "8"})
    assert kept() == 9


def test_a_text_that_fits_its_field_is_kept_whatever_its_lines(clinic: Clinic) -> None:
    """Browsers count a line end once and send it as two; one that is too long is not lost."""
    device = clinic.inside("ada")
    words = "\n".join(["A long line that goes on"] * 40)
    assert len(words) <= 1_000 < len(words.replace("\n", "\r\n"))
    fields = token(device) | {"about": "care", "words": words.replace("\n", "\r\n")}
    assert "Thank you" in device.post("/raise", data=fields).text
    too_long = device.post("/raise", data=fields | {"words": "x" * 1_001})
    assert too_long.status_code == 422
    assert f">{'x' * 1_001}</textarea>" in too_long.text


def test_a_family_raises_an_issue_and_reads_the_answer_in_its_language(clinic: Clinic) -> None:
    """The clinic sees it, no other family does; the answer comes back; what is about the network is everybody's."""
    device, other = clinic.inside("ada"), clinic.inside("ben", Who.GUARDIAN)
    said = {"about": "care", "words": "Visits end without a plan"}
    assert "Thank you" in device.post("/raise", data=token(device) | said).text
    assert device.post("/raise", data=token(device) | {"about": "care", "words": " "}).status_code == 422
    assert "without a plan" not in other.get("/raise").text
    staff = clinic.staff(Role.SITE_TEAM)
    (ident,) = re.findall(r"/issues/([0-9a-f]{32})", staff.get("/issues").text)[:1]
    assert "Patient or family" in staff.get(f"/issues/{ident}").text
    assert (
        staff.post(f"/issues/{ident}/answer", data=FORM | {"words": "Each visit now ends with a card"}).status_code
        == 200
    )
    device.get("/language/es?to=/raise")
    page = device.get("/raise").text
    assert "Each visit now ends with a card" in page
    assert "Contestado el mismo día" in page
    other.post("/raise", data=token(other) | {"about": "network", "words": "Tell us more often"})
    assert "Tell us more often" in device.get("/raise").text


def test_an_issue_that_is_merged_is_answered_to_whoever_raised_it(clinic: Clinic) -> None:
    """In their own words, with the other's answer; another family's words at the clinic are not shown to them."""
    first, second = clinic.inside("ada"), clinic.inside("cleo")
    first.post("/raise", data=token(first) | {"about": "care", "words": "We wait for two hours"})
    second.post("/raise", data=token(second) | {"about": "care", "words": "My visit began late"})
    with writing(clinic.registry) as connection:
        idents = {row.words: row.id for row in connection.execute(select(issue_raised))}
        merge_issue(connection, idents["My visit began late"], idents["We wait for two hours"])
    staff = clinic.staff(Role.SITE_TEAM)
    staff.post(f"/issues/{idents['We wait for two hours']}/answer", data=FORM | {"words": "We begin earlier now"})
    page = second.get("/raise").text
    assert "My visit began late" in page
    assert "We begin earlier now" in page
    assert "two hours" not in page


def test_what_was_raised_is_found_by_a_new_code_of_one_s_own(clinic: Clinic) -> None:
    """A phone is lost and a code printed anew; a second guardian does not read what the first raised."""
    old, guardian = clinic.inside("ada"), clinic.inside("ada", Who.GUARDIAN, date(2029, 3, 1))
    old.post("/raise", data=token(old) | {"about": "care", "words": "Ask me first"})
    guardian.post("/raise", data=token(guardian) | {"about": "care", "words": "Tell me more"})
    new, second = clinic.inside("ada"), clinic.inside("ada", Who.GUARDIAN, date(2029, 3, 1))
    assert "Ask me first" in new.get("/raise").text
    for device, others in ((new, "Tell me more"), (guardian, "Ask me first"), (second, "Tell me more")):
        assert others not in device.get("/raise").text


def test_after_a_merge_an_old_way_says_so_and_a_new_code_finds_what_was_raised(clinic: Clinic) -> None:
    """Nothing of the record that stands is shown by the old way; separated again, what was raised is not the other's any more."""
    old = clinic.inside("ada")
    old.post("/raise", data=token(old) | {"about": "care", "words": "Ask me first"})
    one = {"subject": subject_id("ada"), "site": SITE, "at": NOW}
    told = {"event": "superseded", "sequence": 1, "superseded_by": subject_id("cleo")} | one
    subjects = Subjects(GROUP, None)
    with writing(clinic.registry) as connection:
        metadata.create_all(connection)
        subjects.take(connection, [FoundSubject(SubjectEvent.model_validate(told), 1, None)])
        connection.execute(delete(RECORD_TABLES["person"]).where(RECORD_TABLES["person"].c.subject == one["subject"]))
    answer = old.get("/")
    assert (answer.status_code, "Ask there for a new code" in answer.text) == (410, True)
    assert "Pida allí un código nuevo" in old.get("/language/es", follow_redirects=True).text
    assert "Ask me first" in clinic.inside("cleo").get("/raise").text
    assert "Ask me first" not in clinic.inside("cleo", Who.GUARDIAN, date(2029, 3, 1)).get("/raise").text
    with writing(clinic.registry) as connection:
        apart = {"event": "separated", "sequence": 2} | one
        subjects.take(connection, [FoundSubject(SubjectEvent.model_validate(apart), 1, None)])
    assert "Ask me first" not in clinic.inside("cleo").get("/raise").text


def test_which_figures_count_somebody_is_told_by_measure(clinic: Clinic) -> None:
    """And how often researchers' questions did; of mood not to a guardian from whom mood is withheld; of others nothing."""
    seen = [visit("ada", f"2026-{month:02}-10", site=SITE) for month in (7, 8, 9)]
    fill(clinic.registry, seen, [])
    own, guardian = clinic.inside("ada"), clinic.inside("ada", Who.GUARDIAN, date(2029, 3, 1))
    page = own.get("/looked").text
    rows = dict(re.findall(r'<th scope="row">([^<]+)</th><td>(\d+)</td></tr>', page.partition('id="counted"')[2]))
    assert rows["Timely data"] == "3"
    assert rows["Screening for depression in type 1 diabetes"] == "3"
    assert "Nutrition in cystic fibrosis" not in rows
    assert "No question of a researcher counted you" in page
    assert "They last came on" in page
    theirs = guardian.get("/looked").text
    assert "Timely data" in theirs
    assert "depression" not in theirs
    assert "No figure has counted you" in clinic.inside("ben", Who.GUARDIAN).get("/looked").text


def test_a_question_of_a_researcher_is_told_to_whom_it_counted(clinic: Clinic) -> None:
    """Not where the number was too small to be told, nor to whom it did not count or who is in no extract."""
    fill(clinic.registry, population(), [])
    with writing(clinic.registry) as connection:
        count(connection, ["190905008"], by="r", at=NOW)
        count(connection, ["46635009"], by="r", at=NOW)
    assert "counted you: 1." in clinic.inside("cleo").get("/looked").text
    ada = clinic.inside("ada")
    assert "No question of a researcher" in ada.get("/looked").text
    cleo = clinic.inside("cleo")
    cleo.post("/consent", data=token(cleo) | {"scope": "research", "wish": "withdraw"})
    assert "No question of a researcher" in cleo.get("/looked").text


def test_who_looked_is_told_in_words_from_the_chain(clinic: Clinic) -> None:
    clinic.staff().get(f"/patients/{SITE}/{subject_id('ada')}")
    clinic.staff().get(f"/patients/{SITE}/{subject_id('ben')}")
    device = clinic.inside("ada")
    device.get("/")
    page = device.get("/looked").text
    rows = re.findall(r"<td>([^<]+)</td><td>(\d+)</td>", page)
    assert ("Your care team", "1") in rows
    assert ("You or your family", "2") in rows
    assert "Ruth" not in page
    assert clinic.home.views.first_broken() is None


def test_a_guardian_s_way_ends_by_what_is_known_today(clinic: Clinic, tmp_path: Path) -> None:
    """Of a birth date that came, or was put right, after the code was printed; and by the policy as it is now."""
    fill(clinic.registry, [person("dora", site=SITE, born=None)], [])
    device = clinic.inside("dora", Who.GUARDIAN)
    assert device.get("/").status_code == 200
    known = {"2009-01-01": 200, "2008-11-20": 303, "2009": 200, "2008": 303, "2008-12": 200, "2008-11": 303}
    for number, (born, status) in enumerate(known.items(), start=2):
        with writing(clinic.registry) as connection:
            apply(connection, [event_of(person("dora", site=SITE, born=born), sequence=number)])
        assert device.get("/").status_code == status, born
        assert device.get("/raise").status_code == status, born
    cleo = clinic.inside("cleo", Who.GUARDIAN)
    assert cleo.get("/").status_code == 303, "she was of age when it was printed"
    clinic.home.policy = AgePolicy(
        {"default": {"teenager_from": 13, "majority": 21, "withheld_from_guardian": []}, "state": {}, "site": {}}
    )
    assert cleo.get("/").status_code == 200
    assert clinic.inside("dora").get("/").status_code == 200


@pytest.mark.parametrize("end", ["revoked", "majority", "left", "erased"])
def test_a_way_in_ends(clinic: Clinic, end: str) -> None:
    """Taken back by the clinic, at majority, by leaving; and where nothing is kept of the patient any more."""
    ends = NOW.date() + timedelta(days=1) if end == "majority" else None
    device = clinic.inside("ada", Who.GUARDIAN, ends)
    assert device.get("/").status_code == 200
    if end == "revoked":
        staff = clinic.staff()
        page = staff.get(f"/patients/{SITE}/{subject_id('ada')}/family").text
        address = re.findall(r'action="([^"]+/end)"', page)[0]
        assert staff.post(address, data=FORM).status_code == 200
        assert "revoked" in staff.get(f"/patients/{SITE}/{subject_id('ada')}/family").text
    elif end == "majority":
        clinic.home.clock = lambda: NOW + timedelta(days=1)
    elif end == "left":
        assert device.post("/leave", data=token(device)).status_code == 303
    else:
        from services.registry.tables import RECORD_TABLES

        with writing(clinic.registry) as connection:
            connection.execute(RECORD_TABLES["person"].delete())
    answer = device.get("/")
    assert answer.status_code == (404 if end == "erased" else 303)
    assert "HbA1c" not in answer.text


def test_a_clinician_makes_codes_as_the_policy_says_and_sees_each_once(clinic: Clinic) -> None:
    """For a small child a guardian's; for an adult their own; for a teenager both. Other roles make none."""
    staff = clinic.staff()
    for name, may in {"ada": {"self", "guardian"}, "ben": {"guardian"}, "cleo": {"self"}}.items():
        address = f"/patients/{SITE}/{subject_id(name)}/family"
        assert set(re.findall(r'name="who" value="(\w+)"', staff.get(address).text)) == may
        for who in ("self", "guardian"):
            answer = staff.post(address, data=FORM | {"who": who})
            assert answer.status_code == (200 if who in may else 422)
            if who in may:
                (code,) = re.findall(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\b", answer.text)
                assert code not in staff.get(address).text
                assert clinic.device().post("/enter", data={"code": code}).status_code == 303
        assert clinic.staff(Role.SITE_TEAM).post(address, data=FORM | {"who": "self"}).status_code == 403
    elsewhere = f"/patients/northside/{subject_id('ada')}/family"
    assert staff.post(elsewhere, data=FORM | {"who": "self"}).status_code == 404


def test_answers_on_paper_are_entered_by_the_clinic(clinic: Clinic) -> None:
    staff, address = clinic.staff(), f"/patients/{SITE}/{subject_id('ben')}/family"
    said = {"who": "guardian", "overall": "6", "topic": "plan", "words": "A plan, please"}
    assert staff.post(f"{address}/paper", data=FORM | said).status_code == 200
    assert "A plan, please" in staff.get(address).text
    after = {"who": "guardian", "form": "after", "understood": "9", "heard": "8", "words": "More time"}
    assert staff.post(f"{address}/paper", data=FORM | after).status_code == 200
    page = staff.get(address).text
    assert "How well did we listen to what matters to you? <b>8</b>" in page
    assert "More time" in page
    assert staff.post(f"{address}/paper", data=FORM | after | {"form": "nothing"}).status_code == 422
    assert staff.post(f"{address}/paper", data=FORM | after | {"heard": "10"}).status_code == 422
    assert staff.post(f"{address}/paper", data=FORM | {"who": "guardian", "overall": "many"}).status_code == 422


def test_codes_are_not_guessed_and_an_old_one_opens_nothing(clinic: Clinic) -> None:
    """A few tries a minute; whether a code never was, was used or is over is not told apart."""
    device = clinic.device()

    def answer(code: str) -> str:
        """Without what was typed, which is given back to be looked at."""
        return re.sub(r' value="[^"]*"', "", device.post("/enter", data={"code": code}).text)

    answers = {answer(code) for code in ("", "A" * 12, "' or 1=1 --", "é" * 40)}
    assert len(answers) == 1
    old = clinic.code("ada")
    clinic.home.clock = lambda: NOW + GOOD_FOR + timedelta(seconds=1)
    assert answer(old) in answers
    tried = [device.post("/enter", data={"code": str(number)}).status_code for number in range(TRIES_PER_MINUTE)]
    assert 429 in tried
    assert device.get("/enter", headers={"cookie": f"{COOKIE}=forged"}).status_code in (200, 429)


def test_what_the_network_knows_is_told_in_whole_numbers(clinic: Clinic) -> None:
    """Of a quarter that is over: so many of so many, those who are not known beside; as many icons as people, 100 at most."""
    fill(clinic.registry, population(), [])
    page = clinic.inside("cleo").get("/").text
    (said,) = re.findall(
        r"Of (\d+) children with cystic fibrosis who came to a clinic, (\d+) weighed", page.split("<svg")[0]
    )
    n, met = map(int, said)
    assert 20 < n <= 100
    assert 0 < met < n
    assert page.count('class="met"') == met
    assert page.count('class="not"') == n - met
    assert re.search(r"\d+ more came, and their weight or height is not known", page)
    assert "From July 1, 2026 to September 30, 2026." in page


def test_what_a_family_said_is_forgotten_with_them(clinic: Clinic) -> None:
    """Answers, issues, ways in, and what clinicians said of their records; of others nothing."""
    device, other = clinic.inside("ada"), clinic.inside("ben", Who.GUARDIAN)
    device.post("/say/before", data=token(device) | {"overall": "4", "words": PLANTED})
    device.post("/raise", data=token(device) | {"about": "network", "words": PLANTED})
    other.post("/raise", data=token(other) | {"about": "network", "words": "Tell us more often"})
    with writing(clinic.registry) as connection:
        for name in ("cada", "cben"):
            raise_contest(connection, SITE, ("condition", record_id(name)), ContestReason.NOT_SO, by="Ruth", at=NOW)
        hers, ours = (
            connection.execute(select(issue_raised.c.id).where(issue_raised.c.words == words)).scalar_one()
            for words in (PLANTED, "Tell us more often")
        )
        merge_issue(connection, ours, hers)
        follow_issue(connection, hers, "somebody of the staff")
        erase(connection, [subject_id("ada")], NOW)
    with reading(clinic.registry) as connection:
        assert connection.execute(select(family_answer)).all() == []
        assert {row.subject for row in connection.execute(select(family_link))} == {subject_id("ben")}
        assert [(row.words, row.merged_into) for row in connection.execute(select(issue_raised))] == [
            ("Tell us more often", "")
        ]
        assert {row.by for row in connection.execute(select(issue_follow))} <= {
            f"family/{row.id}" for row in connection.execute(select(family_link))
        }
        assert {row.record for row in connection.execute(select(contest))} == {record_id("cben")}
    assert device.get("/").headers["location"] in OUT


def test_the_centre_forgets_whom_the_registry_was_told_to_forget(
    clinic: Clinic, stream: Stream, tmp_path: Path
) -> None:
    """Its records of what a family said are withdrawn and hold nothing; what was not told yet never is; of others nothing goes. Of the
    subject it says nothing: that is the site's to tell."""
    settings = Settings(
        network=stream.network,
        kafka=stream.bootstrap,
        database_url=f"sqlite:///{tmp_path}/centre.db",
        centre_key=f"file:{tmp_path}/key",
    )
    (tmp_path / "key").write_bytes(b"k" * 32)
    (tmp_path / "key").chmod(0o600)
    ada, ben = clinic.inside("ada"), clinic.inside("ben", Who.GUARDIAN)
    with at_the_centre(settings) as keep:
        for device in (ada, ben):
            device.post("/say/before", data=token(device) | {"overall": "4", "topic": ["food"]})
        assert tell(clinic.registry, keep, at=NOW) == 4
        with writing(clinic.registry) as connection:
            erase(connection, [subject_id("ada")], NOW)
            answer = {"site": SITE, "subject": subject_id("ada"), "form": "before", "who": "self", "by": "paper"}
            late = answer | {"id": "late", "item": "overall", "kind": "number", "number": 2, "at": NOW}
            connection.execute(insert(family_answer).values(late))
        for _ in range(2):
            assert tell(clinic.registry, keep, at=NOW) == 0

    last = {record.key.decode(): record.value for record in stream.records()}
    live = {key.partition("/")[0] for key, value in last.items() if value is not None}
    assert (len(last), live) == (4, {subject_id("ben")})
    assert len(stream.records()) == 6
    assert stream.records("subject.v1") == []
    with closing(connect(tmp_path / "centre.db")) as state:
        held = state.execute("select hex(subject), content is null, length(provenance) from record").fetchall()
    assert {subject: (gone, bool(left)) for subject, gone, left in held} == {
        subject_id("ada")[2:].upper(): (1, False),
        subject_id("ben")[2:].upper(): (0, True),
    }


@pytest.mark.slow
@pytest.mark.browser
def test_no_page_has_a_barrier(clinic: Clinic) -> None:
    """By axe, on a phone and in both languages, by large letters too; nothing wider than the screen, nothing asked elsewhere."""
    asked: list[str] = []
    with serving(make_home(clinic.home)) as address, browser() as opened:
        for language in ("en", "es"):
            tab = opened.new_page(viewport={"width": 320, "height": 700}, locale=language)
            tab.on("request", lambda request: asked.append(request.url))
            tab.goto(f"{address}/enter")
            assert violations(tab) == []
            tab.fill("#code", clinic.code("ada"))
            tab.press("#code", "Enter")
            for page in (*PAGES, "/receipt", "/nowhere"):
                tab.goto(address + page)
                assert violations(tab) == [], (page, language)
                assert tab.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, (page, language)
            if folder := os.environ.get("MAINSTEM_SCREENSHOTS"):
                tab.goto(address)
                tab.screenshot(path=f"{folder}/home-{language}.png", full_page=True)
    assert all(each.startswith((address, "data:")) for each in asked)


OUT = ("/enter", "/enter?over=get")
"""Where whoever is not in is sent; a device that was is told why."""


@pytest.mark.parametrize("path", [*PAGES, f"/proposals/{'0' * 32}", "/pictures/hba1c.svg"])
def test_nobody_sees_anything_without_a_way_in(clinic: Clinic, path: str) -> None:
    """And no address of the staff's is here at all."""
    device = clinic.device()
    device.cookies.set(COOKIE, "forged")
    assert device.get(path).headers["location"] in OUT
    inside = clinic.inside("ada")
    for other in (f"/patients/{SITE}/{subject_id('ben')}", "/network", "/measures", "/docs", "/openapi.json"):
        assert inside.get(other).status_code == 404
    for header, said in {"Content-Security-Policy": "default-src 'none'", "Cache-Control": "no-store"}.items():
        assert said in inside.get("/").headers[header]


def test_a_page_is_small_enough_for_a_slow_line(clinic: Clinic) -> None:
    """150 KB without its pictures, looks and all; no script."""
    device = clinic.inside("ada")
    pages = {path: device.get(path).text for path in ("/", "/say/before", "/looked", "/static/home.css")}
    assert sum(map(len, pages.values())) < 60_000
    assert "<script" not in "".join(pages.values())


def test_every_question_can_be_answered_and_refused() -> None:
    assert set(forms()) == {"before", "after"}
    codes = [each.code for form in forms().values() for each in form.questions]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("sign", ["\0", "\x1b[2J", "\u202e"], ids=["NUL", "escape", "turned"])
def test_what_nobody_types_is_kept_nowhere(clinic: Clinic, sign: str) -> None:
    """No form of the page takes it, nor does the one where a code is typed; PostgreSQL could not, a terminal would obey."""
    device = clinic.inside("ada")
    words = f"Please {sign} call"
    assert device.post("/raise", data=token(device) | {"about": "care", "words": words}).status_code == 422
    assert device.post(f"/say/{next(iter(forms()))}", data=token(device) | {"words": words}).status_code == 422
    with reading(clinic.registry) as connection:
        assert not connection.scalars(select(issue_raised.c.words)).all()
        assert not connection.scalars(select(family_answer.c.words)).all()
    assert clinic.device().post("/enter", data={"code": words}).status_code == 403


OPEN = ("/enter", "/receipt", "/health", "/static/home.css", "/language/{code}")
"""Addresses that need no way in."""
FILLED = {"name": "before", "ident": "0" * 32, "code": "es"}


@pytest.mark.parametrize("who", ["nobody", "forged", "revoked", "another's form"])
def test_no_address_of_the_page_is_open_to_others(clinic: Clinic, who: str) -> None:
    """Every route, as the application knows them: nothing is shown, nothing is kept; a form of another's is refused."""
    device, form = clinic.device(), {}
    if who == "forged":
        device.cookies.set(COOKIE, "f" * 43)
    elif who == "revoked":
        device = clinic.inside("ada")
        form = token(device)
        with writing(clinic.registry) as connection:
            connection.execute(family_link.update().values(revoked=NOW))
    elif who == "another's form":
        form = token(clinic.inside("ben", Who.GUARDIAN))
        device = clinic.inside("ada")
    said = form | {"words": PLANTED, "about": "care", "scope": "research", "wish": "withdraw", "overall": "3"}
    tried = 0
    for route in device.app.routes:  # type: ignore[attr-defined]
        if route.path in OPEN:
            continue
        address = route.path.format_map(FILLED)
        if "POST" in route.methods:
            expected = (403,) if who == "another's form" else (303,)
            assert device.post(address, data=said).status_code in expected, address
        elif who != "another's form":
            assert device.get(address).headers.get("location") in OUT, address
        tried += 1
    assert tried > 8
    with reading(clinic.registry) as connection:
        for table in (issue_raised, family_answer, amendment_voice, consent_request):
            assert connection.execute(select(table)).all() == []
