"""Log-in by a real OpenID provider: the way there and back, what a session is worth, and what is refused in which words."""

import json
import os
import shutil
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from fastapi.testclient import TestClient
from services_story import NOW
from sqlalchemy import Engine, select

from schemas.errors import OperatorError, TemporaryError
from services.access.claims import Mapped, RefusedError
from services.access.database import AccessDatabase, session
from services.access.gate import FORM_TOKEN, Gate
from services.access.login import SessionEntrance
from services.access.oidc import Client, LogIn
from services.access.provider import Provider
from services.access.sessions import IDLE_SECONDS, LONGEST_SECONDS, Sessions
from services.access.viewers import Role
from services.access.views import Views
from services.pages.app import make_app

REPOSITORY = Path(__file__).parents[2]
MODULES = REPOSITORY / "var" / "oidc" / "node_modules"
SERVER = REPOSITORY / "tests" / "support" / "oidc_provider.mjs"
ADDRESS = "https://feedback.network.example"
BACK = f"{ADDRESS}/login/back"
RUTH = {"sub": "ruth", "name": "Ruth Adler", "roles": ["coordinator"]}
MAPPED = Mapped()
pytestmark = pytest.mark.oidc


class Issuer:
    """The provider, as its people meet it."""

    def __init__(self, address: str) -> None:
        self.address = address

    def knows(self, **claims: Any) -> None:
        """Whom it logs in next."""
        httpx2.post(f"{self.address}/who", content=json.dumps(claims)).raise_for_status()

    def visited(self, address: str) -> dict[str, str]:
        """A browser that goes there and is sent back: with what."""
        with httpx2.Client() as browser:
            while not address.startswith(BACK):
                answer = browser.get(address)
                assert answer.is_redirect, answer.text
                address = str(answer.url.join(answer.headers["location"]))
        return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def provider_process(told: str) -> Iterator[Issuer]:
    node = shutil.which("node")
    if node is None or not (MODULES / "oidc-provider").exists():
        reason = "no Node, or no oidc-provider: `make oidc` fetches it"
        pytest.fail(reason) if os.environ.get("MAINSTEM_REQUIRE_OIDC") else pytest.skip(reason)
    with Popen([node, SERVER, MODULES, BACK, told], stdout=PIPE, stderr=DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield Issuer(process.stdout.readline().strip())
        finally:
            process.terminate()


@pytest.fixture(scope="module", params=["id token", "userinfo"])
def either_issuer(request: pytest.FixtureRequest) -> Iterator[Issuer]:
    """A provider that tells roles in the ID token, and one that tells them by userinfo alone."""
    yield from provider_process(request.param)


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    yield from provider_process("id token")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[AccessDatabase]:
    opened = AccessDatabase.open(f"sqlite:///{tmp_path}/access.db")
    yield opened
    opened.close()


def log_in_at(issuer: Issuer, *, client: str = "mainstem", mapped: Mapped = MAPPED, **given: Any) -> LogIn:
    provider = Provider(issuer.address, transport=given.pop("transport", None))
    return LogIn(provider, Client(client, f"{client}-secret", BACK), mapped, **given)


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


Opened = Callable[[Issuer], tuple[TestClient, Time]]


@pytest.fixture
def opened(counted_story: Engine, database: AccessDatabase) -> Opened:
    """A browser before the pages of a network that logs in at a provider."""

    def make(issuer: Issuer) -> tuple[TestClient, Time]:
        clock = Time()
        entrance = SessionEntrance(Sessions(database, clock), log_in_at(issuer), secure=True)
        app = make_app(counted_story, network="lhn", gate=Gate(entrance, Views(database)), clock=lambda: NOW)
        return TestClient(app, base_url=ADDRESS, follow_redirects=False), clock

    return make


def come_in(browser: TestClient, issuer: Issuer, to: str = "/measures") -> Any:
    """From a page to the provider and back: the last answer."""
    asked = browser.get(to)
    assert (asked.status_code, asked.headers["location"].partition("?")[0]) == (303, "/login")
    away = browser.get(asked.headers["location"])
    return browser.get("/login/back", params=issuer.visited(away.headers["location"]))


@pytest.mark.slow
def test_the_way_there_and_back(either_issuer: Issuer, opened: Opened, database: AccessDatabase) -> None:
    """Code with PKCE, state and nonce; then the page that was asked for, as who it is, noted; and out again."""
    either_issuer.knows(**RUTH)
    browser, _ = opened(either_issuer)
    away = browser.get("/login", params={"to": "/measures"})
    asked = {name: values[0] for name, values in parse_qs(urlsplit(away.headers["location"]).query).items()}
    assert (asked["response_type"], asked["code_challenge_method"], asked["redirect_uri"]) == ("code", "S256", BACK)
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    back = come_in(browser, either_issuer, "/measures/cf2?x=1")
    assert (back.status_code, back.headers["location"]) == (303, "/measures/cf2?x=1")
    page = browser.get("/measures").text
    assert "Ruth Adler, Network coordinator" in page
    token = page.split(f'name="{FORM_TOKEN}" value="')[1].split('"')[0]
    assert browser.post("/logout", data={FORM_TOKEN: token}).headers["location"] == "/left"
    assert browser.get("/measures").status_code == 303
    assert "You are logged out" in browser.get("/left").text
    assert [row["what"] for row in Views(database).rows()] == ["entered", "left"]


@pytest.mark.slow
def test_cookies_are_for_the_browser_and_this_site_alone(issuer: Issuer, opened: Opened) -> None:
    """HttpOnly, Secure, SameSite, bound to the host; the key is new at each log-in, and stands nowhere but in the browser."""
    issuer.knows(**RUTH)
    browser, _ = opened(issuer)
    keys = []
    for _ in range(2):
        away = browser.get("/login")
        back = browser.get("/login/back", params=issuer.visited(away.headers["location"]))
        for said in (*away.headers.get_list("set-cookie"), *back.headers.get_list("set-cookie")):
            assert said.startswith("__Host-mainstem")
            for wanted in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
                assert wanted in said
        keys.append(browser.cookies["__Host-mainstem"])
    assert keys[0] != keys[1]
    before = TestClient(browser.app, base_url=ADDRESS, follow_redirects=False, cookies={"__Host-mainstem": keys[0]})
    assert before.get("/measures").status_code == 303, "the session before ended"
    assert browser.get("/measures").status_code == 200
    assert browser.get("/measures").headers["strict-transport-security"]


@pytest.mark.slow
def test_the_database_holds_no_key(issuer: Issuer, opened: Opened, database: AccessDatabase) -> None:
    """Who reads it is nobody's session."""
    issuer.knows(**RUTH)
    browser, _ = opened(issuer)
    come_in(browser, issuer)
    with database.read() as connection:
        kept = str(connection.execute(select(session)).all())
    assert browser.cookies["__Host-mainstem"] not in kept


@pytest.mark.parametrize("step", [IDLE_SECONDS + 1, IDLE_SECONDS - 60])
@pytest.mark.slow
def test_a_session_ends(step: float, issuer: Issuer, opened: Opened) -> None:
    """After an hour unused, and after ten hours however much it is used."""
    issuer.knows(**RUTH)
    browser, clock = opened(issuer)
    come_in(browser, issuer)
    answers = []
    while clock.ahead < LONGEST_SECONDS + step:
        answers.append(browser.get("/measures").status_code)
        clock.ahead += step
    assert answers[0] == 200
    assert answers[-1] == 303
    assert answers.count(200) == (1 if step > IDLE_SECONDS else LONGEST_SECONDS // step + 1)


def test_a_log_in_begun_elsewhere_is_refused(issuer: Issuer, opened: Opened) -> None:
    """Another's state, another's browser, an answer without a state or a code: in words, and nobody is in. Nor twice by one answer."""
    issuer.knows(**RUTH)
    browser, _ = opened(issuer)
    other, _ = opened(issuer)
    answer = issuer.visited(browser.get("/login").headers["location"])
    for asked, params in (
        (browser, {**answer, "state": "x"}),
        (browser, {"code": answer["code"]}),
        (other, answer),
        (other, issuer.visited(browser.get("/login").headers["location"])),
    ):
        refused = asked.get("/login/back", params=params)
        assert refused.status_code == 403
        assert "You are not logged in" in refused.text
        assert "Log in again." in refused.text
        assert asked.get("/measures").status_code == 303
    state = parse_qs(urlsplit(browser.get("/login").headers["location"]).query)["state"][0]
    denied = browser.get("/login/back", params={"state": state, "error": "access_denied"})
    assert "was not completed there" in denied.text
    assert browser.get("/login/back", params=answer).status_code == 303
    assert browser.get("/login/back", params=answer).status_code == 403


def test_each_tab_of_a_browser_comes_in(issuer: Issuer, opened: Opened) -> None:
    """A browser that opens its tabs again begins several log-ins at once; whichever comes back first, all do, to their own pages."""
    issuer.knows(**RUTH)
    browser, _ = opened(issuer)
    pages = ["/measures", "/measures/cf2", "/"]
    begun = [browser.get("/login", params={"to": page}).headers["location"] for page in pages]
    answers = [issuer.visited(address) for address in begun]
    for page, answer in sorted(zip(pages, answers, strict=True), key=lambda each: len(each[0])):
        back = browser.get("/login/back", params=answer)
        assert (back.status_code, back.headers["location"]) == (303, page)
        assert browser.get("/measures").status_code == 200


@pytest.mark.parametrize("client", ["mainstem", "http://feedback/a b", "50%+off:now"])
def test_a_client_proves_itself_whatever_its_name_and_secret_are(issuer: Issuer, client: str) -> None:
    """Signs that a header must not hold as they are (RFC 6749, 2.3.1)."""
    issuer.knows(**RUTH)
    log_in = log_in_at(issuer, client=client)
    address, kept = log_in.begin("/")
    assert log_in.finish(issuer.visited(address), kept).name == "Ruth Adler"


class Picky(httpx2.BaseTransport):
    """A provider that takes one proof of a client alone, and gives a token that is none."""

    def __init__(self, takes: str, refuses: int) -> None:
        self._takes, self._refuses = takes, refuses

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        address = "https://id.example"
        if not request.url.path.endswith("/token"):
            offered = ["client_secret_basic", "client_secret_post"]
            said = {
                "issuer": address,
                "token_endpoint": f"{address}/token",
                "authorization_endpoint": f"{address}/auth",
            }
            return httpx2.Response(200, json=said | {"token_endpoint_auth_methods_supported": offered})
        header = request.headers.get("Authorization", "").removeprefix("Basic ")
        shown = b64decode(header).decode() if header else request.content.decode().partition("client_id=")[2]
        return httpx2.Response(200, json={}) if shown == self._takes else httpx2.Response(self._refuses, json=REFUSED)


REFUSED = {"error": "invalid_client"}


@pytest.mark.parametrize("refuses", [400, 401])
@pytest.mark.parametrize("takes", ["a b:s%3", "a+b:s%253", "a+b&client_secret=s%253"])
def test_a_provider_of_other_manners_is_shown_another_proof(takes: str, refuses: int) -> None:
    """The header without form-encoding, with it, the form alone; where none is taken, it is told."""
    for taken, said in ((takes, "does not say who you are"), ("nothing", "refuses us")):
        provider = Provider("https://id.example", transport=Picky(taken, refuses))
        log_in = LogIn(provider, Client("a b", "s%3", BACK), MAPPED)
        _, kept = log_in.begin("/")
        with pytest.raises((RefusedError, OperatorError), match=said):
            log_in.finish({"state": kept["state"], "code": "c"}, kept)


@pytest.mark.parametrize(
    ("roles", "sites", "expected"),
    [
        ("LHN Coordinators", "North Clinic", ({Role.COORDINATOR}, {"north"})),
        ("LHN-QI", "west", ({Role.SITE_TEAM}, {"west"})),
        (" LHN-QI, LHN-Doc ", "west;North", ({Role.SITE_TEAM, Role.CLINICIAN}, {"west", "North"})),
        (["LHN Coordinators", "else"], ["North Clinic"], ({Role.COORDINATOR}, {"north"})),
        ("LHN-QI LHN-Doc", "east west", ({Role.SITE_TEAM, Role.CLINICIAN}, {"east", "west"})),
    ],
)
def test_a_list_that_a_provider_writes_as_a_text_is_read(roles: Any, sites: Any, expected: Any) -> None:
    """Of one group some make a text (ADFS, PingFederate), some join all by commas; a group's name may have blanks."""
    names = "LHN Coordinators=coordinator, LHN-QI=site-team, LHN-Doc=clinician"
    mapped = Mapped.of("groups", "sites", names, "North Clinic=north")
    viewer = mapped.viewer({"iss": "i", "sub": "s", "groups": roles, "sites": sites})
    assert (viewer.roles, viewer.sites) == expected


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"roles": ["janitor"]}, "gives you no role here"),
        ({"roles": []}, "gives you no role here"),
        ({"roles": {"coordinator": True}}, "gives you no role here"),
        ({}, "gives you no role here"),
        ({"roles": ["clinician"]}, "names no site of yours"),
        ({"roles": "site-team researcher-x", "sites": ""}, "names no site of yours"),
    ],
)
@pytest.mark.slow
def test_who_has_no_role_or_no_site_is_told_so(
    claims: dict[str, Any], words: str, issuer: Issuer, opened: Opened
) -> None:
    """And whom to ask."""
    issuer.knows(sub="kim", name="Kim", **claims)
    browser, _ = opened(issuer)
    refused = come_in(browser, issuer)
    assert refused.status_code == 403
    assert words in refused.text
    assert "Ask whoever runs your network" in refused.text
    assert browser.get("/measures").status_code == 303


def test_roles_and_sites_are_named_as_the_network_names_them(issuer: Issuer) -> None:
    """By settings: another claim, inside another, other words."""
    issuer.knows(sub="jo", realm_access={"roles": ["lhn-qi", "offline_access"]}, sites=["hosp-001", "west"])
    mapped = Mapped.of("realm_access.roles", "sites", "lhn-qi=site-team, lhn-run=coordinator", "hosp-001=north")
    log_in = log_in_at(issuer, mapped=mapped)
    address, kept = log_in.begin("/")
    viewer = log_in.finish(issuer.visited(address), kept)
    assert (viewer.roles, viewer.sites, viewer.name) == ({Role.SITE_TEAM}, {"north", "west"}, "jo")
    assert viewer.id == f"{issuer.address}#jo"
    for wrong in ("lhn-qi=boss", "lhn-qi"):
        with pytest.raises(OperatorError, match="MAINSTEM_OIDC_ROLES"):
            Mapped.of("roles", "sites", wrong, "")


class Changed(httpx2.BaseTransport):
    """The way to the provider, on which somebody changes the ID token."""

    def __init__(self, change: Callable[[str], str]) -> None:
        self._real = httpx2.HTTPTransport()
        self._change = change

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = self._real.handle_request(request)
        if not request.url.path.endswith("/token"):
            return answer
        answer.read()
        said = answer.json()
        said["id_token"] = self._change(said["id_token"])
        return httpx2.Response(200, json=said)


def id_token_of(issuer: Issuer, client: str) -> tuple[str, str]:
    """A token that the provider really gave a client, and its nonce."""
    seen: list[str] = []
    log_in = log_in_at(issuer, client=client, transport=Changed(lambda token: seen.append(token) or token))
    address, kept = log_in.begin("/")
    log_in.finish(issuer.visited(address), kept)
    return seen[0], kept["nonce"]


def judged(issuer: Issuer, change: Callable[[str], str], *, nonce: str = "", **given: Any) -> None:
    log_in = log_in_at(issuer, transport=Changed(change), **given)
    address, kept = log_in.begin("/")
    log_in.finish(issuer.visited(address), kept | ({"nonce": nonce} if nonce else {}))


def test_a_token_for_another_is_refused(issuer: Issuer) -> None:
    """The provider gave it, to another client: signed, not over, and not for us. Nor one of another log-in."""
    issuer.knows(**RUTH)
    token, nonce = id_token_of(issuer, "another")
    with pytest.raises(RefusedError, match="for somebody else"):
        judged(issuer, lambda _: token, nonce=nonce)
    token, nonce = id_token_of(issuer, "mainstem")
    judged(issuer, lambda _: token, nonce=nonce)
    with pytest.raises(RefusedError, match="for somebody else"):
        judged(issuer, lambda _: token)


def test_a_token_that_is_over_is_refused(issuer: Issuer) -> None:
    """By our clock, two hours later; a minute is borne."""
    issuer.knows(**RUTH)
    with pytest.raises(RefusedError, match="it is over"):
        judged(issuer, str, seconds=lambda: time.time() + 7200)
    judged(issuer, str, seconds=lambda: time.time() + 30)


def test_a_token_that_is_not_the_providers_is_refused(issuer: Issuer) -> None:
    """Changed, unsigned, signed by what everybody knows, none at all."""
    from joserfc import jwk, jwt

    issuer.knows(**RUTH)
    claims = {"iss": issuer.address, "sub": "ruth", "aud": "mainstem", "exp": int(time.time()) + 600, "iat": 0}
    own = jwt.encode({"alg": "HS256"}, claims, jwk.OctKey.import_key("mainstem-secret-mainstem-secret-"))
    for change in (
        lambda token: token[:-6] + "AAAAAA",
        lambda token: "eyJhbGciOiJub25lIn0." + token.split(".")[1] + ".",
        lambda token: own,
        lambda token: "",
    ):
        with pytest.raises(RefusedError, match="not to be trusted"):
            judged(issuer, change)


def test_a_code_is_worth_something_once(issuer: Issuer) -> None:
    """And to us alone."""
    issuer.knows(**RUTH)
    log_in = log_in_at(issuer)
    address, kept = log_in.begin("/")
    answer = issuer.visited(address)
    assert log_in.finish(answer, kept).name == "Ruth Adler"
    with pytest.raises(RefusedError, match="worth nothing"):
        log_in.finish(answer, kept)
    address, kept = log_in.begin("/")
    with pytest.raises(RefusedError, match="worth nothing"):
        log_in.finish(issuer.visited(address), {**kept, "verifier": "x" * 64})


def test_a_provider_that_is_wrong_or_away_is_told(issuer: Issuer) -> None:
    """Our secret refused, another issuer than was set, nobody there, not encrypted: what to do."""
    issuer.knows(**RUTH)
    wrong = LogIn(Provider(issuer.address), Client("mainstem", "wrong", BACK), MAPPED)
    address, kept = wrong.begin("/")
    with pytest.raises(OperatorError, match="refuses us"):
        wrong.finish(issuer.visited(address), kept)
    with pytest.raises(OperatorError, match="calls itself otherwise"):
        LogIn(Provider(issuer.address + "/"), Client("mainstem", None, BACK), MAPPED).begin("/")
    with pytest.raises(TemporaryError, match="does not answer"):
        LogIn(Provider("http://127.0.0.1:9"), Client("mainstem", None, BACK), MAPPED).begin("/")
    with pytest.raises(OperatorError, match="not https"):
        Provider("http://id.example")


@pytest.mark.parametrize("to", ["https://evil.example", "//evil.example", "/\\evil.example", "/a\nb"])
def test_nobody_is_led_elsewhere(to: str, issuer: Issuer, opened: Opened) -> None:
    """Where a log-in leads is a page of ours."""
    issuer.knows(**RUTH)
    browser, _ = opened(issuer)
    away = browser.get("/login", params={"to": to})
    back = browser.get("/login/back", params=issuer.visited(away.headers["location"]))
    assert back.headers["location"] == "/"
