"""What a family decides about its data: asked on its page, told to its clinic, done there, and followed to every consumer."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from services_cases import subject_id
from services_story import NOW, fill, load_events, person
from sqlalchemy import Engine, insert
from viewers import FORM

from mainstem.consumer.ledger import metadata as kit
from mainstem.consumer.subjects import consumer_subject
from schemas.subjects import ConsentAsked, ConsentHeeded, ErasureReport
from services.access.database import AccessDatabase
from services.access.families import form_token
from services.home.app import COOKIE, Home, make_home
from services.home.telling import Reported, ask_sites
from services.people.accountability import owed
from services.people.age_policy import AgePolicy
from services.people.families import Who, make_link
from services.registry.database import reading, writing
from services.registry.erasure import erase, not_extracted

SITE, ADA = "west", subject_id("ada")


def token(device: TestClient) -> dict[str, str]:
    return {next(iter(FORM)): form_token(device.cookies[COOKIE])}


@pytest.fixture
def home(small_registry: Engine, tmp_path: Path) -> Home:
    fill(small_registry, [person("ada", site=SITE, born="2011-03-01"), person("ben", site=SITE)], load_events())
    access = AccessDatabase.open(f"sqlite:///{tmp_path}/access.db")
    return Home(small_registry, access, "lhn", AgePolicy.load(), False, lambda: NOW)


@pytest.fixture
def device(home: Home) -> TestClient:
    with writing(home.engine) as connection:
        code = make_link(connection, SITE, ADA, Who.SELF, by="Ruth", at=NOW, ends=None)
    device = TestClient(make_home(home), follow_redirects=False)
    device.post("/enter", data={"code": code})
    assert COOKIE in device.cookies
    return device


def ask(device: TestClient, scope: str, wish: str, **more: str) -> str:
    """The receipt."""
    answer = device.post("/consent", data=token(device) | {"scope": scope, "wish": wish} | more)
    assert answer.status_code == 200, answer.text
    found = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", answer.text)
    return found[0] if found else ""


def heard_at_the_registry(engine: Engine, *, qi: bool, research: bool, erased: bool = False) -> None:
    """The site's word, as the registry's consumer keeps it."""
    kit.create_all(engine)
    names = {"consumer_group": "registry", "subject": ADA, "site": SITE, "epoch": 1, "sequence": 1}
    with engine.begin() as connection:
        connection.execute(consumer_subject.delete())
        connection.execute(
            insert(consumer_subject).values(
                **names, qi=qi, research=research, erase=erased, superseded_by=None, rows=3, unreported=False
            )
        )
        if erased:
            erase(connection, [ADA], NOW)


def test_research_is_withdrawn_asked_told_done_and_nothing_leaves_from_the_asking_on(
    home: Home, device: TestClient
) -> None:
    """The centre erases nothing and stops no collection; researchers get nothing from the first moment on."""
    assert not_extracted_of(home) == frozenset()
    unseen, receipt = ask(device, "research", "withdraw"), ask(device, "research", "withdraw")
    assert not_extracted_of(home) == {ADA}
    assert device.post("/receipt", data={"code": unseen}).status_code == 403
    home.clock = lambda: NOW + timedelta(minutes=2)
    assert ask(device, "research", "withdraw") == ""
    home.clock = lambda: NOW
    assert "Your clinic will be told soon" in device.get("/consent").text
    told: list[ConsentAsked] = []
    assert ask_sites(home.engine, told.extend, at=NOW) == 1
    assert ask_sites(home.engine, told.extend, at=NOW) == 0
    assert [(each.site, each.subject, each.scope, each.wish, each.by) for each in told] == [
        (SITE, ADA, "research", "withdraw", "self")
    ]
    assert "has not done it yet" in device.get("/consent").text
    assert accountable(home) == 1
    heard_at_the_registry(home.engine, qi=False, research=True)
    ask_sites(home.engine, told.extend, at=NOW)
    page = device.get("/consent").text
    assert "Your clinic did it; the network knew on November 20, 2026." in page
    assert "Allow it again" in page
    assert accountable(home) == 0
    assert not_extracted_of(home) == {ADA}
    shown = TestClient(make_home(home)).post("/receipt", data={"code": receipt.lower().replace("-", " ")}).text
    assert "Your clinic did it" in shown
    assert ADA not in shown + page


def test_it_is_given_again_and_the_last_word_counts(home: Home, device: TestClient) -> None:
    ask(device, "research", "withdraw")
    heard_at_the_registry(home.engine, qi=False, research=True)
    ask_sites(home.engine, lambda _: None, at=NOW)
    ask(device, "research", "give")
    assert not_extracted_of(home) == {ADA}, "until the clinic says otherwise"
    heard_at_the_registry(home.engine, qi=False, research=False)
    ask_sites(home.engine, lambda _: None, at=NOW)
    assert not_extracted_of(home) == frozenset()
    assert "Allowed" in device.get("/consent").text


def test_erasure_is_asked_twice_and_followed_by_its_receipt_when_the_page_is_gone(
    home: Home, device: TestClient
) -> None:
    """Each consumer that said so is named; one that cannot erase by itself, too."""
    unsure = device.post("/consent", data=token(device) | {"scope": "qi", "wish": "erase"})
    assert unsure.status_code == 422
    assert device.post("/consent", data=token(device) | {"scope": "research", "wish": "erase"}).status_code == 422
    receipt = ask(device, "qi", "erase", sure="yes")
    ask_sites(home.engine, lambda _: None, at=NOW)
    with reading(home.engine) as connection:
        assert connection.exec_driver_sql(f"select count(*) from person where subject = '{ADA}'").scalar() == 1
    heard_at_the_registry(home.engine, qi=True, research=True, erased=True)
    ask_sites(home.engine, lambda _: None, at=NOW)
    names = {"site": SITE, "subject": ADA, "epoch": 1, "sequence": 1, "at": NOW}
    reports = [
        ErasureReport(group="registry", erased=True, rows=9, **names),
        ErasureReport(group="spreadsheet", erased=False, **names),
        ErasureReport(group="other", erased=True, **names | {"subject": subject_id("ben")}),
    ]
    home.reports = Reported(lambda _: reports)
    assert device.get("/consent").status_code == 303
    follow = TestClient(make_home(home))
    page = follow.post("/receipt", data={"code": receipt}).text
    assert "registry: has forgotten" in page
    assert "spreadsheet: cannot do it alone" in page
    assert "other" not in re.findall(r"<li>(\w+):", page)
    assert follow.post("/receipt", data={"code": "AAAA-BBBB-CCCC"}).status_code == 403


def test_a_withdrawal_from_research_is_followed_to_every_consumer(home: Home, device: TestClient) -> None:
    """On the consent page and by the receipt, once the clinic did it: each by its last word since; another's, and an earlier word, are none."""
    receipt = ask(device, "research", "withdraw")
    ask_sites(home.engine, lambda _: None, at=NOW)
    names = {"site": SITE, "subject": ADA, "epoch": 1, "at": NOW}
    heeded = [
        ConsentHeeded(group="registry", sequence=2, withdrawn=["research"], **names),
        ConsentHeeded(group="warehouse", sequence=1, withdrawn=["research"], **names),
        ConsentHeeded(group="warehouse", sequence=2, withdrawn=[], **names),
        ConsentHeeded(group="early", sequence=1, withdrawn=["research"], **names | {"at": NOW - timedelta(days=1)}),
        ConsentHeeded(group="others", sequence=1, withdrawn=["research"], **names | {"subject": subject_id("ben")}),
        ErasureReport(group="eraser", sequence=3, erased=True, **names),
    ]
    home.reports = Reported(lambda _: heeded)
    assert "registry" not in device.get("/consent").text, "the clinic has not done it yet"
    heard_at_the_registry(home.engine, qi=False, research=True)
    ask_sites(home.engine, lambda _: None, at=NOW)
    assert "Whom your word has reached: eraser, registry</p>" in device.get("/consent").text
    page = TestClient(make_home(home)).post("/receipt", data={"code": receipt}).text
    assert dict(re.findall(r"<li>(\w+): ([^<]+)</li>", page)) == {
        "eraser": "knows it and does so",
        "registry": "knows it and does so",
        "warehouse": "does not know it yet",
    }


def test_another_family_neither_asks_nor_reads_for_it(home: Home, device: TestClient) -> None:
    """A form without this device's token, a scope that is none, a guessed receipt ten times a minute."""
    assert device.post("/consent", data={"scope": "research", "wish": "withdraw"}).status_code == 403
    assert device.post("/consent", data=token(device) | {"scope": "all", "wish": "withdraw"}).status_code == 404
    assert not_extracted_of(home) == frozenset()
    guesser = TestClient(make_home(home), follow_redirects=False)
    answers = [guesser.post("/receipt", data={"code": f"{n:012d}"}).status_code for n in range(12)]
    assert answers[0] == 403
    assert answers[-1] == 429
    assert guesser.get("/consent").status_code == 303


def not_extracted_of(home: Home) -> frozenset[str]:
    with reading(home.engine) as connection:
        return not_extracted(connection)


def accountable(home: Home) -> int:
    with reading(home.engine) as connection:
        return sum(count for _, count in owed(connection, NOW).consents)
