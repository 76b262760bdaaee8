"""`mainstem consent`, `resolve` and `audit`: a child is found, forgotten, and everybody who must says so; by the command line alone."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from network_under_test import SUBJECT_KEY, Network
from typer.testing import CliRunner, Result

from mainstem.commands import app
from mainstem.consumer.erasures import ask
from mainstem.database import Database
from mainstem.refresh import open_refresh
from schemas.errors import MainstemError
from schemas.subjects import ConsentAsked
from transforms.privacy.pseudonyms import Pseudonyms

KIDS = ("kid-1", "kid-2", "kid-3")
SUBJECTS = [f"s-{Pseudonyms(SUBJECT_KEY.encode()).subject(each).hex()}" for each in KIDS]
Run = Callable[..., Result]


def weight(kid: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"wt-{kid}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": f"Patient/{kid}"},
        "effectiveDateTime": "2026-03-01T10:00:00Z",
        "valueQuantity": {"value": 30, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
    }


@pytest.fixture
def site(lhn: Network, tmp_path: Path) -> Path:
    """Three children with a weight each, told, and in the registry."""
    folder = tmp_path / "delivery"
    folder.mkdir()
    patients = [{"resourceType": "Patient", "id": kid, "birthDate": "2015-03-01"} for kid in KIDS]
    for name, given in (("Patient", patients), ("Observation", [weight(kid) for kid in KIDS])):
        (folder / f"{name}.ndjson").write_text("".join(json.dumps(each) + "\n" for each in given))
    path = lhn.files_site("west", folder, types=["Patient", "Observation"])
    lhn.refresh(path)
    lhn.consume()
    return path


@pytest.fixture
def run(lhn: Network, site: Path) -> Run:
    """A command in this network; `fails` where it is to."""

    def go(*words: str, fails: bool = False, said: str | None = None) -> Result:
        at = [] if words[0] == "audit" else ["--site", str(site)]
        result = CliRunner().invoke(app, [*words, *at], env=lhn.environment, input=said)
        if not fails:
            assert result.exit_code == 0, (result.exception, result.output)
        return result

    return go


@pytest.mark.slow
def test_a_child_is_forgotten_everywhere_and_everybody_says_so(lhn: Network, run: Run) -> None:
    """Registry too, which was a day behind; the second time there is nothing to do; and the id stands nowhere."""
    done = json.loads(run("consent", "withdraw", "--patient", "-", "--mode", "erase", "--json", said="kid-1\n").stdout)
    assert (done["subjects"], done["records_forgotten"], done["landed_lines_removed"]) == ([SUBJECTS[0]], 2, 2)
    assert (done["told"], done["landing_purged"]) == (True, True)
    (row,) = json.loads(run("consent", "status", "--json").stdout)
    assert (row["subject"], row["mode"], row["erased"]) == (SUBJECTS[0], "erase", [])

    assert len(lhn.registry(f"select 1 from person where subject = '{SUBJECTS[0]}'")) == 1
    lhn.consume()
    for table in ("person", "observation", "history"):
        left = {subject for (subject,) in lhn.registry(f"select distinct subject from {table}")}
        assert left == set(SUBJECTS[1:]), table
    (row,) = json.loads(run("consent", "status", "--subject", SUBJECTS[0], "--json").stdout)
    assert [(each["group"], each["rows"] > 0) for each in row["erased"]] == [("registry", True)]
    assert row["not_erased"] == []
    assert "registry: has erased it" in run("consent", "status").stdout
    again = json.loads(run("consent", "withdraw", "--subject", SUBJECTS[0], "--mode", "erase", "--json").stdout)
    assert (again["changed"], again["records_forgotten"]) == (0, 0)
    assert "kid-1" not in run("consent", "status").output + run("audit", "show").output


@pytest.mark.slow
def test_status_tells_which_consumers_go_by_a_withdrawal(lhn: Network, run: Run) -> None:
    """Of what erases nothing as well: who has said so, for what, and who has not yet; given again, the same."""
    run("consent", "withdraw", "--subject", SUBJECTS[1], "--scope", "research")
    (row,) = json.loads(run("consent", "status", "--json").stdout)
    assert (row["heeded"], row["not_heeded"], row["not_erased"], row["consumers_known"]) == ([], ["registry"], [], True)
    assert "registry: has not said that it goes by it" in run("consent", "status").stdout

    lhn.consume()
    (row,) = json.loads(run("consent", "status", "--json").stdout)
    assert [(each["group"], each["withdrawn"]) for each in row["heeded"]] == [("registry", ["research"])]
    assert (row["not_heeded"], row["erased"]) == ([], [])
    assert "registry: goes by it, withdrawn for research" in run("consent", "status").stdout

    run("consent", "give", "--subject", SUBJECTS[1], "--scope", "research")
    lhn.consume()
    assert "registry: goes by it, withdrawn for nothing" in run("consent", "status").stdout


def asked(number: int, subject: str, scope: str, wish: str, day: int) -> ConsentAsked:
    said = {"id": f"{number:032x}", "site": "west", "subject": subject, "scope": scope, "wish": wish, "by": "self"}
    return ConsentAsked.model_validate({**said, "at": datetime(2026, 3, day, 9, tzinfo=UTC)})


@pytest.mark.slow
def test_what_families_ask_waits_until_the_site_decides_it(lhn: Network, run: Run) -> None:
    """The last word of each person and scope; of another site nothing; told again it is the same; decided it reaches the registry."""
    settings, network = lhn.settings.kafka_settings(), lhn.settings.network
    first = [asked(1, SUBJECTS[0], "research", "withdraw", 2), asked(2, SUBJECTS[1], "qi", "withdraw", 2)]
    ask(settings, network, [*first, asked(3, SUBJECTS[1], "qi", "erase", 3)])
    ask(settings, network, [first[0], asked(4, SUBJECTS[2], "qi", "erase", 2).model_copy(update={"site": "east"})])
    rows = json.loads(run("consent", "asked", "--json").stdout)
    assert [(each["subject"], each["scope"], each["wish"], each["waiting"]) for each in rows] == [
        (SUBJECTS[0], "research", "withdraw", True),
        (SUBJECTS[1], "qi", "erase", True),
    ]
    assert "the patient asks to erase consent to qi, 2026-03-03: waits for you" in run("consent", "asked").stdout
    assert json.loads(run("consent", "status", "--json").stdout) == []

    done = json.loads(run("consent", "asked", "--decide", "--json").stdout)
    assert (done["decisions"], done["changed"], done["records_forgotten"]) == (2, 2, 2)
    assert [each["waiting"] for each in json.loads(run("consent", "asked", "--json").stdout)] == [False, False]
    lhn.consume()
    assert lhn.registry(f"select 1 from person where subject = '{SUBJECTS[1]}'") == []
    assert len(lhn.registry(f"select 1 from person where subject = '{SUBJECTS[0]}'")) == 1
    run("consent", "give", "--subject", SUBJECTS[0], "--scope", "research")
    assert [each["waiting"] for each in json.loads(run("consent", "asked", "--json").stdout)] == [False, False]
    ask(settings, network, [asked(5, SUBJECTS[0], "research", "give", 4)])
    assert [each["waiting"] for each in json.loads(run("consent", "asked", "--json").stdout)] == [False, False]


@pytest.mark.slow
def test_a_list_is_taken_whole_or_not_at_all(run: Run, site: Path, tmp_path: Path) -> None:
    """CSV with the EHR's ids or with pseudonyms; a mistake names its line and nobody; FHIR Consents by the site's mapping."""
    listed = tmp_path / "withdrawn.csv"
    listed.write_text(f"patient,subject,scope,mode\nkid-1,,,erase\n,{SUBJECTS[1]},research,\n")
    done = json.loads(run("consent", "import", str(listed), "--json").stdout)
    assert (done["decisions"], done["changed"], done["records_forgotten"]) == (2, 2, 2)
    rows = {each["subject"]: each["withdrawn"] for each in json.loads(run("consent", "status", "--json").stdout)}
    assert rows == {SUBJECTS[0]: ["qi", "research"], SUBJECTS[1]: ["research"]}

    for text, said in (
        ("patient,scope\nkid-3,qi\nkid-2,everything\n", "line 3: scope is none of qi, research"),
        ("patient,subject\nkid-3,\n,\n", "line 3 names no patient"),
        ("name\nkid-3\n", "does not name the columns"),
        ("patient,patient\nkid-3,kid-2\n", "does not name the columns"),
        ("patient,scope,mode\nkid-3,research,erase\n", "line 2: only who withdraws for qi can have it erased"),
        ("patient,decision,mode\nkid-3,give,erase\n", "line 2: only who withdraws for qi can have it erased"),
        ("patient,decision\nkid-3,give\nkid-2,\n\nkid-3,withdraw\n", "lines 2 and 5 say two things"),
        (f"patient,subject,mode\nkid-3,,\n,{SUBJECTS[2]},erase\n", "lines 2 and 3 say two things"),
        ("subject\ns-12\n", "line 2: a subject is s- and 32"),
    ):
        listed.write_text(text)
        refused = run("consent", "import", str(listed), fails=True)
        assert isinstance(refused.exception, MainstemError)
        assert said in refused.exception.cause
        assert "kid" not in refused.exception.cause + refused.exception.fix
    assert len(json.loads(run("consent", "status", "--json").stdout)) == 2

    listed.write_text("patient,mode\nkid-1,erase\n00kid-1,\nkid-1,erase\n")
    stranger = run("consent", "import", str(listed), "--json")
    told = json.loads(stranger.stdout)
    assert (told["decisions"], told["changed"], len(told["unknown_subjects"])) == (3, 1, 1)
    assert "1 of 2 people are unknown here" in run("consent", "import", str(listed)).stderr

    purpose = [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HQUALIMP"}]
    scope = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]}
    said_so = {"resourceType": "Consent", "status": "active", "scope": scope, "dateTime": "2026-03-01T00:00:00Z"}
    consents = [
        {
            **said_so,
            "id": "a",
            "patient": {"reference": "Patient/kid-3"},
            "provision": {"type": "deny", "purpose": purpose},
        },
        {**said_so, "id": "b", "patient": {"reference": "Patient/kid-2"}, "provision": {"type": "perhaps"}},
    ]
    older = {
        **consents[0],
        "id": "c",
        "dateTime": "2026-02-01T00:00:00Z",
        "provision": {"type": "permit", "purpose": purpose},
    }
    consents.append(older)
    file = tmp_path / "Consent.ndjson"
    file.write_text("".join(json.dumps(each) + "\n" for each in consents))
    heard = run("consent", "import", str(file), "--mode", "erase", "--json")
    assert "1 of 3 say nothing that binds: consent-not-understood" in heard.stderr
    assert json.loads(heard.stdout)["records_forgotten"] == 2


@pytest.mark.slow
def test_erasing_what_research_alone_forbids_is_refused(run: Run) -> None:
    refused = run("consent", "withdraw", "--subject", SUBJECTS[0], "--scope", "research", "--mode", "erase", fails=True)
    assert "goes on being cared for" in str(refused.exception)
    nobody = run("consent", "give", fails=True)
    assert "is to be named" in str(nobody.exception)


@pytest.mark.slow
def test_what_was_done_is_audited_and_a_change_of_the_log_shows(lhn: Network, run: Run, site: Path) -> None:
    """Pulls, what was published, who was resolved and forgotten; each a FHIR AuditEvent, chained; no id of the EHR in any."""
    assert run("resolve", SUBJECTS[1], "--for", "data-quality").stdout.strip() == f"{SUBJECTS[1]} is Patient/kid-2"
    missing = run("resolve", f"s-{'0' * 32}", "--for", "care", fails=True)
    assert "holds no Patient" in str(missing.exception)
    run("consent", "withdraw", "--subject", SUBJECTS[0], "--mode", "erase")
    events = json.loads(run("audit", "show", "--json").stdout)
    deeds = [each["subtype"][0]["code"] for each in events]
    assert {"pull", "disclose", "resolve", "consent", "erase"} <= set(deeds)
    assert deeds.count("resolve") == 2
    assert not any(kid in json.dumps(events) for kid in KIDS)
    (forgotten,) = json.loads(run("audit", "show", "--what", "erase", "--subject", SUBJECTS[0], "--json").stdout)
    assert (forgotten["action"], forgotten["outcomeDesc"]) == ("D", "2 records forgotten")
    assert "each as it was written" in run("audit", "verify").stdout

    database = Database.open(lhn.settings.database_url)
    with pytest.raises(MainstemError), database.write() as connection:
        connection.exec_driver_sql("delete from audit where number = 2")
    with database.write() as connection:
        connection.exec_driver_sql("drop trigger audit_no_update")
        connection.exec_driver_sql("update audit set site = 'east' where number = 2")
    database.close()
    broken = run("audit", "verify", "--json", fails=True)
    assert (broken.exit_code, json.loads(broken.stdout)["broken"]) == (3, 2)


@pytest.mark.slow
def test_who_withdrew_while_the_broker_was_away_is_told_when_it_is_back(lhn: Network, site: Path) -> None:
    """It is kept at once; the command fails so that it is tried again, and says what is so."""
    words = ["consent", "withdraw", "--site", str(site), "--subject", SUBJECTS[0], "--mode", "erase"]
    away = CliRunner().invoke(app, words, env={**lhn.environment, "MAINSTEM_KAFKA": "127.0.0.1:1"})
    assert away.exit_code != 0
    assert "kept at the site; the network is not told yet" in away.stderr
    with open_refresh(site, lhn.settings) as refresh:
        assert len(refresh.store.consents.stopped("west")) == 1
    told = CliRunner().invoke(app, ["consent", "status", "--site", str(site)], env=lhn.environment)
    assert "the network is not told yet" in told.stdout
    lhn.refresh(site)
    lhn.consume()
    assert {subject for (subject,) in lhn.registry("select subject from person")} == set(SUBJECTS[1:])
