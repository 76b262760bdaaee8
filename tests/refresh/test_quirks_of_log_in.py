"""How hospitals let us in: tokens that end, keys that are changed, clocks that differ, certificates and proxies; over two nights."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from authorities import TODAY, Authority, tunnelling
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hospital_with_faults import Answered, Asked, serving
from quirky_hospitals import ALL, Nights, Place, Quirk, both, first_night, on, refused, second_night, two_nights
from quirky_steps import PARTIAL, TOKEN, capped, cut_short, manifest_says, of_types, once

from connectors.client.keys import SigningKey, private_jwks
from schemas.errors import MainstemError

Step = Callable[[Place], Any]
SMART = '[fhir.auth]\nmethod = "smart-backend"\nclient_id = "c1"\nprivate_key = "file:keys.json"\ntoken_url = "BASE/token"\n'
BASIC = '[fhir.auth]\nmethod = "basic"\nusername = "müller"\nsecret = "file:secret"\n'
BEHIND = """proxy = "PROXY"
proxy_login = "file:proxy"
ca_file = "hospital-ca.pem"
[fhir.auth]
method = "METHOD"
client_id = "c1"
client_certificate = "file:client"
secret = "file:secret"
token_url = "BASE/token"
"""


def shown(asked: Asked) -> str:
    return next((value for name, value in asked.headers.items() if name.lower() == "authorization"), "")


def to_log_in() -> Answered:
    return refused("login", 401)


def door(good: Callable[[str, Asked], bool], refusal: Callable[[], Answered] = to_log_in) -> Step:
    """Who shows no token that is good is asked to log in, or told so in other words."""

    def arrange(place: Place) -> None:
        def fault(asked: Asked) -> Answered | None:
            if asked.path in ("token", "metadata") or asked.path.startswith(".well-known"):
                return None
            return None if good(shown(asked).removeprefix("Bearer "), asked) else refusal()

        place.fault(fault)

    return arrange


class Tokens:
    """A token endpoint, each of whose tokens is another; and which of them are good, for how many requests."""

    def __init__(
        self, uses: int = 1 << 30, late: int = 0, refusal: Callable[[], Answered] = to_log_in, **said: Any
    ) -> None:
        """`late`: requests for which a new token is not known yet; `refusal`: what is answered to one that has ended."""
        self.refusal = refusal
        self.uses, self.late, self.said = uses, late, said
        self.left: dict[str, int] = {}
        self.early: dict[str, int] = {}

    def __call__(self, place: Place) -> None:
        door(self.good, self.refusal)(place)
        place.fault(on("token", self.give))

    def give(self, _asked: Asked) -> Answered:
        token = f"t{len(self.left)}"
        self.left[token], self.early[token] = self.uses, self.late
        return Answered({"access_token": token, "token_type": "Bearer", "expires_in": 600, **self.said})

    def good(self, token: str, _asked: Asked) -> bool:
        if self.early.get(token, 0) > 0:
            self.early[token] -= 1
            return False
        self.left[token] = self.left.get(token, 0) - 1
        return self.left[token] >= 0


def files_want_tokens(place: Place) -> None:
    manifest_says(requiresAccessToken=True)(place)


def never_again(path: str, night: int = 1) -> Step:
    """What is asked there behind the first page wants a log-in that nobody has, for a night."""

    def fault(place: Place) -> Callable[[Asked], Answered | None]:
        return lambda asked: (
            to_log_in() if asked.path == path and asked.value("page") and place.night == night else None
        )

    return lambda place: place.fault(fault(place))


def renewed_between(place: Place) -> None:
    """The token that stands in a file is another on the second night, there and at the hospital."""
    good = {1: "s3cret", 2: "an0ther"}
    door(lambda token, _asked: token == good[place.night])(place)
    place.heal = lambda there: (there.folder / "secret").write_text("an0ther\n")


def basic(place: Place) -> None:
    """The password has letters that are not ASCII."""
    import base64

    (place.folder / "secret").write_text("pä55 wörd:x")
    wanted = "Basic " + base64.b64encode("müller:pä55 wörd:x".encode()).decode()
    door(lambda _token, asked: shown(asked) == wanted)(place)


# ---------------------------------------------------------------- keys


class Registered:
    """A token endpoint that knows keys by their ids, other ones each night, and judges assertions by its own clock."""

    def __init__(self, *nights: str, algorithm: str = "ES384", ahead: timedelta = timedelta()) -> None:
        """`nights`: the ids of the keys known on the first night, on the second."""
        self.nights, self.algorithm, self.ahead = nights, algorithm, ahead
        self.keys: dict[str, Any] = {name: self.made() for name in "ab"}
        self.used: set[str] = set()
        self.by: list[str] = []
        """The ids by which it was asked and knew who asked."""

    def made(self) -> Any:
        return (
            rsa.generate_private_key(65537, 2048)
            if self.algorithm == "RS384"
            else ec.generate_private_key(ec.SECP384R1())
        )

    def __call__(self, place: Place) -> None:
        keys = [SigningKey(key, name, self.algorithm, at) for at, (name, key) in enumerate(self.keys.items(), start=1)]  # type: ignore[arg-type]
        path = place.folder / "keys.json"
        path.write_text(private_jwks(keys))
        path.chmod(0o600)
        door(lambda token, _asked: token == "granted")(place)
        place.fault(on("token", lambda asked: self.judge(asked, place)))

    def judge(self, asked: Asked, place: Place) -> Answered:
        assertion = parse_qs(asked.body.decode())["client_assertion"][0]
        kid = jwt.get_unverified_header(assertion)["kid"]
        now = datetime.now(UTC) + (self.ahead if place.night == 1 else timedelta())
        said = {"Date": now.strftime("%a, %d %b %Y %H:%M:%S GMT")}
        if kid not in self.nights[place.night - 1]:
            return Answered({"error": "invalid_client"}, 401, said)
        claims = jwt.decode(
            assertion,
            self.keys[kid].public_key(),
            algorithms=[self.algorithm],
            audience=f"{place.server.base_url}/token",
            options={"verify_exp": False, "verify_iat": False},
        )
        fresh = claims["iat"] - 60 <= now.timestamp() <= claims["exp"] <= now.timestamp() + 360
        if not fresh or claims["jti"] in self.used:
            return Answered({"error": "invalid_client", "error_description": "Roe: expired"}, 400, said)
        self.used.add(claims["jti"])
        self.by.append(kid)
        return Answered({"access_token": "granted", "token_type": "bearer", "expires_in": 300}, headers=said)


# ---------------------------------------------------------------- certificates, an authority of the hospital's own, a proxy


def behind_everything(method: str, more: Step = lambda place: None) -> Step:
    """The server shows a certificate of the hospital's authority, wants one of ours, and is reached by a proxy that wants a
    log-in. On the second night it shows a new certificate, and so do we."""

    def arrange(place: Place) -> None:
        authority = Authority(place.folder, "hospital-ca")
        plain, path = place.server.base_url, place.folder / "west.toml"
        proxy, passed = place.beside.enter_context(tunnelling("user:pass"))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_verify_locations(authority.file)

        def issue() -> None:
            ends = TODAY + timedelta(days=2)
            tls.load_cert_chain(*authority.certificate(host="127.0.0.1", ends=ends))
            certificate, key = authority.certificate(host="mainstem", ends=ends)
            (place.folder / "client").write_bytes(certificate.read_bytes() + key.read_bytes())

        issue()
        place.beside.enter_context(serving(place.server, tls))
        (place.folder / "proxy").write_text("user:pass\n")
        text = path.read_text().replace(plain, place.server.base_url)
        path.write_text(text.replace("PROXY", proxy).replace("METHOD", method))
        more(place)
        place.heal = lambda there: issue()
        place.beside.callback(lambda: _require(passed))

    return arrange


def _require(passed: list[str]) -> None:
    assert passed, "nothing went by the proxy"


AS_IT_IS: Step = lambda place: None  # noqa: E731

QUIRKS: dict[str, Quirk] = {
    # ------------------------------------------------ tokens
    "a token is good for three requests": Quirk(both(capped(3), Tokens(uses=3)), fhir=TOKEN),
    "a token is good for three requests, and pages are cut on their way": Quirk(
        both(capped(3), Tokens(uses=3), once("Observation", cut_short, after=1)), fhir=TOKEN
    ),
    "a token that has ended is forbidden": Quirk(
        both(capped(3), Tokens(uses=4, refusal=lambda: Answered({"message": "expired"}, 403))), fhir=TOKEN
    ),
    "a token that has ended is forbidden, while files are fetched": Quirk(
        both(Tokens(uses=4, refusal=lambda: Answered({"message": "expired"}, 403)), files_want_tokens),
        road="bulk",
        fhir=TOKEN,
    ),
    "a token lives a second": Quirk(both(capped(5), Tokens(expires_in=1)), fhir=TOKEN),
    "a token lives no second, in letters": Quirk(both(capped(5), Tokens(expires_in="0")), fhir=TOKEN),
    "a token lives for ever": Quirk(both(capped(5), Tokens(expires_in="never")), fhir=TOKEN),
    "a token lives below zero": Quirk(Tokens(expires_in=-3600), fhir=TOKEN),
    "a token is of eight thousand letters": Quirk(
        both(
            door(lambda token, _asked: len(token) == 8000),
            lambda place: place.fault(on("token", lambda asked: Answered({"access_token": "t" * 8000}))),
        ),
        fhir=TOKEN,
    ),
    "a new token is known a moment later": Quirk(both(capped(5), Tokens(late=1)), fhir=TOKEN),
    "a new token is known a moment later, and is good for four requests": Quirk(
        both(capped(5), Tokens(late=1, uses=4)), fhir=TOKEN
    ),
    "tokens end while files are fetched, one of which is cut": Quirk(
        both(
            Tokens(uses=4),
            files_want_tokens,
            once("files/Observation", lambda place, asked: Answered(place.exports(asked).body, cut=30)),  # type: ignore[union-attr]
        ),
        road="bulk",
        fhir=TOKEN,
    ),
    "a token is good for one request, of an export": Quirk(
        both(Tokens(uses=1), files_want_tokens), road="bulk", fhir=TOKEN
    ),
    "a log-in is not taken any more in the middle of pages, for a night": Quirk(
        both(capped(5), Tokens(), never_again("Observation")), fhir=TOKEN, statuses=PARTIAL, words=("401", "")
    ),
    "the scope that is granted is smaller, for a night": Quirk(
        both(
            Tokens(scope="system/Patient.read"),
            of_types(lambda place, asked: refused("forbidden", 403), ("Observation",), (1,)),
        ),
        fhir=TOKEN,
        statuses=PARTIAL,
        words=("403", ""),
    ),
    "the token in a file is renewed by somebody else": Quirk(
        renewed_between, fhir='[fhir.auth]\nmethod = "bearer"\nsecret = "file:secret"\n'
    ),
    "a password has letters of elsewhere": Quirk(basic, fhir=BASIC),
    # ------------------------------------------------ keys
    "the newer key is registered on the second night": Quirk(Registered("a", "ab"), fhir=SMART),
    "the older key is taken away on the second night": Quirk(Registered("ab", "b"), fhir=SMART),
    "one key is changed for the other between nights": Quirk(Registered("a", "b"), fhir=SMART),
    "one RSA key is changed for the other between nights, by exports": Quirk(
        both(Registered("a", "b", algorithm="RS384"), files_want_tokens), road="bulk", fhir=SMART
    ),
    "a server's clock is nearly a minute behind": Quirk(Registered("a", "b", ahead=timedelta(seconds=-50)), fhir=SMART),
    # ------------------------------------------------ certificates
    "mutual TLS, an authority of its own, and a proxy": Quirk(
        behind_everything("mutual-tls", both(capped(5), Tokens(uses=4))), fhir=BEHIND
    ),
    "mutual TLS, an authority of its own, and a proxy, by exports": Quirk(
        behind_everything("mutual-tls", both(Tokens(uses=4), files_want_tokens)), road="bulk", fhir=BEHIND
    ),
    "a certificate, a secret, an authority of its own, and a proxy": Quirk(
        behind_everything("client-credentials", both(capped(5), Tokens())), fhir=BEHIND
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", QUIRKS)
def test_two_nights_at_a_hospital_with_a_log_in(name: str, quirky: Callable[[Quirk], tuple[Place, Nights]]) -> None:
    two_nights(QUIRKS[name], *quirky(QUIRKS[name]))


@pytest.mark.parametrize("ahead", [timedelta(minutes=7), timedelta(minutes=-7)])
def test_a_clock_that_differs_is_named_and_the_night_after_lacks_nothing(
    ahead: timedelta, quirky: Callable[[Quirk], tuple[Place, Nights]]
) -> None:
    place, nights = quirky(Quirk(Registered("a", "a", ahead=ahead), fhir=SMART))
    place.server.put(*first_night(lambda number: f"kid-{number}"))
    Registered("ab", "ab", ahead=ahead)(place)
    with pytest.raises(MainstemError) as caught:
        nights.refresh()
    assert "this machine's clock is" in caught.value.cause
    assert "Roe" not in str(caught.value)
    place.night = 2
    place.server.put(*second_night(lambda number: f"kid-{number}"))
    assert (nights.refresh().status, nights.held(), nights.code) == ("completed", ALL, 0)
