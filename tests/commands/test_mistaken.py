"""What people who are no programmers type, paste and save, as it was played at a terminal: the cause is right, the fix is theirs."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hospital_with_faults import Answered, Asked, Fault, FaultyHospital
from screens import Said, sound_child

from connectors.client.auth import auth_for
from connectors.client.keys import signing_keys
from connectors.client.scopes import not_granted
from connectors.pulling import Source
from mainstem.check import Finding, check_site
from mainstem.config.site_files import read_site
from schemas.errors import OperatorError
from schemas.sites import Fhir, Site

SITE = 'site = "north"\nname = "North"\ntime_zone = "UTC"\nsubject_key = "file:k"\n[fhir]\nbase_url = "https://e.example/r4"\n'


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "no site is named"),
        ("https://ehr.example/fhir", "not by an address"),
        ("sites", "is a folder"),
        ("nroth", "Sites there are: north."),
        ("North", "Name it: north."),
        ("north.toml", "Name it: north."),
        ("sites\\north.toml", "Name it: north."),
        ("elsewhere/north.toml", "Name it: north."),
        ("sites/nroth.toml", "There are: sites/north.toml."),
    ],
)
def test_a_site_named_otherwise_is_told_how_it_is_named(
    screen: Said, north: FaultyHospital, typed: str, told: str
) -> None:
    code, _, err = screen("check", typed)
    assert (code, told in err, north.asked) == (78, True, []), err


@pytest.mark.parametrize("typed", [" north ", "“north”", "'north'", "sites/north.toml "])
def test_a_site_copied_with_what_stood_around_it_is_that_site(screen: Said, north: FaultyHospital, typed: str) -> None:
    assert screen("sites", "packet", typed, "--no-check")[0] == 0


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--base-url", "ehr.example/fhir"), "--base-url: needs a whole address"),
        (("--base-url", "https://ehr.example:443:443/fhir"), "--base-url: needs a whole address"),
        (("--base-url", "https://ehr.example/fhir/metadata"), "--base-url: is an address below the server's base: leave /metadata off"),
        (("--base-url", "https://ehr.example/.well-known/smart-configuration"), "leave /.well-known/smart-configuration off"),
        (("--base-url", "https://ehr.example/r4/Patient/"), "leave /Patient off"),
        (("--base-url", "https://ehr.example/r4", "--group", "Group/cf"), "--group: write the id alone: cf"),
        (("--base-url", "https://ehr.example/r4", "--group", "CF patients"), "--group: write the Group's id: one word"),
        (("--base-url", "https://ehr.example/r4", "--time-zone", "Eastern"), "--time-zone: no time zone of this name; did you mean America/New_York?"),
        (("--folder", "https://ehr.example/r4"), "is given by --base-url"),
    ],
)  # fmt: skip
def test_what_is_given_by_flags_is_refused_by_their_names(
    screen: Said, tmp_path: Path, flags: tuple[str, ...], told: str
) -> None:
    """No file is named, which nobody wrote; and none is written."""
    code, _, err = screen("sites", "new", "south", "--time-zone", "UTC", *flags)
    assert (code, told in err, ".toml" in err) == (78, True, False), err
    assert not list(tmp_path.rglob("*.toml"))


def test_an_address_copied_with_its_quotation_marks_is_that_address(screen: Said, tmp_path: Path) -> None:
    assert screen("sites", "new", "south", "--time-zone", "UTC", "--base-url", " “http://127.0.0.1:1/r4” ")[0] == 0
    assert 'base_url = "http://127.0.0.1:1/r4"' in (tmp_path / "sites/south.toml").read_text()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SITE.replace('"North"', "“North”"), "2: not valid TOML: its quotation marks are typographic"),
        (SITE.replace("name = ", "name\u00a0= "), "2: not valid TOML: a blank in it is none"),
        (SITE.replace("file:k", "file:C:\\keys\\k"), "4: not valid TOML: a \\ in a text means something else"),
        (SITE.replace("file:k", "file:C:\\users\\k"), "4: not valid TOML: a \\ in a text means something else"),
        (SITE + '[cohort]\npatients = "Smith, Jane"\n', "give the place of the list, not the list: file:patients.txt"),
    ],
)
def test_a_site_file_of_a_word_processor_is_told_what_it_did(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "north.toml").write_text(text)
    with pytest.raises(OperatorError) as refused:
        read_site(tmp_path / "north.toml")
    assert told in refused.value.cause
    assert "Smith" not in refused.value.cause


@pytest.mark.parametrize(
    ("answer", "told", "who"),
    [
        ((404, None), "there is no token endpoint", "network"),
        ((405, None), "there is no token endpoint", "network"),
        ((302, None), "there is no token endpoint", "network"),
        ((400, "unauthorized_client"), "does not let client c1 log in by client credentials", "site IT"),
        ((400, "unsupported_grant_type"), "does not let client c1 log in by client credentials", "site IT"),
        ((401, "invalid_client"), "refuses client c1 (401)", "network"),
    ],
)
def test_a_token_that_is_not_given_is_told_by_its_cause(answer: tuple[int, str | None], told: str, who: str) -> None:
    """A wrong address of the token endpoint is not a wrong secret, nor is a client of another kind."""
    status, error = answer
    section = {"method": "client-credentials", "client_id": "c1", "secret": "env:S", "token_url": "https://e.example/t"}
    fhir = Fhir.model_validate({"base_url": "https://e.example/r4", "auth": section})
    auth = auth_for(fhir, types=["Patient"], secrets=lambda _: b"s", clock=lambda: datetime(2026, 3, 2, tzinfo=UTC))
    assert auth is not None
    flow = auth.sync_auth_flow(httpx2.Request("GET", "https://e.example/r4/Patient"))
    asked = next(flow)
    if error == "invalid_client":  # sent as a header first, then in the form
        asked = flow.send(httpx2.Response(status, json={"error": error}, request=asked))
    with pytest.raises(OperatorError) as refused:
        flow.send(httpx2.Response(status, json={"error": error} if error else {}, request=asked))
    assert (told in refused.value.cause, refused.value.who) == (True, who), refused.value.cause


def _pem(form: Any, encryption: Any) -> bytes:
    return _KEY.private_bytes(serialization.Encoding.PEM, form, encryption)


_KEY = rsa.generate_private_key(65537, 2048)
_PLAIN = serialization.NoEncryption()
_PKCS8, _OPENSSH = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.OpenSSH


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (_pem(_PKCS8, serialization.BestAvailableEncryption(b"word")), "has a password"),
        (_pem(_OPENSSH, _PLAIN), "ssh-keygen -p -m PEM"),
        (_pem(_PKCS8, _PLAIN).replace(b"\n", b"\\n"), "has \\n where its lines should end"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "is the public half"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "is a certificate"),
        (b"0\x82\x05\x01", "is no private key in PEM or JWKS form"),
    ],
)
def test_what_is_no_private_key_is_told_by_what_it_is(text: bytes, told: str) -> None:
    auth = {"method": "smart-backend", "client_id": "c1", "private_key": "file:k"}
    fhir = Fhir.model_validate({"base_url": "https://e.example/r4", "auth": auth})
    with pytest.raises(OperatorError) as refused:
        signing_keys(text, fhir.auth)
    assert told in refused.value.cause


@pytest.mark.parametrize(
    ("scope", "lacking"),
    [
        ("", []),
        ("openid launch", []),
        ("system/*.read", []),
        ("system/Patient.read system/Goal.rs?category=x", []),
        ("system/Patient.read system/Goal.write", ["Goal"]),
        ("system/Patient.rs", ["Goal"]),
    ],
)
def test_what_was_granted_is_read_in_both_forms_of_smart(scope: str, lacking: list[str]) -> None:
    assert not_granted(["Patient", "Goal"], scope) == lacking


Look = Callable[..., list[Finding]]


@pytest.fixture
def look(faulty: FaultyHospital, make_site: Callable[..., Site], source_of: Callable[..., Source]) -> Look:
    """What is found wrong at a hospital of one child."""
    faulty.put(*sound_child())

    def findings(*faults: Fault, **fhir: Any) -> list[Finding]:
        faulty.faults[:] = faults
        site = make_site(
            fhir={"base_url": faulty.base_url, **fhir}, types=["Patient", "Condition", "Observation"], road="search"
        )
        found = check_site(source_of(site, secrets=lambda _: b"k" * 32), closer=True)
        return [finding for finding in found if not finding.ok]

    return findings


def test_types_that_are_empty_for_want_of_a_scope_are_named(look: Look, faulty: FaultyHospital) -> None:
    """A server that grants less than was asked for and then shows nothing of the rest, without an error."""
    faulty.resources["Observation"] = []

    def token(asked: Asked) -> Answered | None:
        granted = {"access_token": "t", "token_type": "Bearer", "scope": "system/Patient.read system/Condition.read"}
        return Answered(granted) if asked.path == "token" else None

    auth = {
        "method": "client-credentials",
        "client_id": "c",
        "secret": "env:S",
        "token_url": f"{faulty.base_url}/token",
    }
    (found,) = look(token, auth=auth)
    assert (found.name, found.who) == ("access", "site IT")
    assert found.what.startswith("Observation: empty, and not among the scopes")


@pytest.mark.parametrize("status", [404, 410, 400])
def test_a_group_that_is_not_there_is_told_as_such(look: Look, status: int) -> None:
    found = look(
        lambda asked: Answered({"resourceType": "OperationOutcome"}, status) if asked.path == "Group/cf" else None,
        group="cf",
    )
    assert [each.what for each in found] == ["the cohort's Group: the server has no Group cf"]
    assert "fhir.group" in found[0].fix


def test_a_database_of_another_program_is_no_defect_of_ours(
    screen: Said, north: FaultyHospital, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "state.db") as database:
        database.execute("create table record (x)")
    code, _, err = screen("run", "north")
    assert (code, "tables that are not Mainstem's" in err, "defect" in err) == (78, True, False), err
