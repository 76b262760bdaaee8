"""`mainstem keys`: a pair that a real server takes once its public half is registered, and that can be changed."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt import PyJWKSet
from typer.testing import CliRunner

from connectors.client.keys import signing_keys
from connectors.source import Source
from mainstem.commands import app
from mainstem.config.site_files import file_secrets, read_site
from mainstem.demo.embedded import BackendClient, Hospital
from schemas.errors import OperatorError
from schemas.sites import Auth

SITE = """site = "north"
name = "North"
time_zone = "UTC"
subject_key = "env:K"
[fhir]
base_url = "https://ehr.example/interconnect-prd/api/FHIR/R4"
"""
SECRET = {"d", "p", "q", "dp", "dq", "qi"}
Run = Callable[..., Any]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "north.toml"
    path.write_text(SITE)
    return path


@pytest.fixture
def run() -> Run:
    def invoke(*words: object) -> Any:
        result = CliRunner().invoke(app, ["keys", *map(str, words)])
        if isinstance(result.exception, OperatorError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result

    return invoke


def log_in(site: Path, reference: str, **more: str) -> None:
    auth = {"method": "smart-backend", "client_id": "c", "private_key": reference, **more}
    site.write_text(SITE + "[fhir.auth]\n" + "".join(f'{name} = "{value}"\n' for name, value in auth.items()))


def test_new_pair_is_private_and_its_public_half_is_told(site: Path, run: Run) -> None:
    told = run("new", site)
    jwks = json.loads(told.stdout)
    private = site.parent / "keys/north.jwks"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert json.loads((site.parent / "keys/north.public.json").read_text()) == jwks
    (public,) = jwks["keys"]
    assert (public["kty"], public["crv"], public["alg"], public["use"]) == ("EC", "P-384", "ES384", "sig")
    assert not SECRET & set(public)
    assert PyJWKSet.from_dict(jwks).keys[0].key_id == public["kid"]
    assert "fhir.epic.com" in told.stderr, "where this vendor wants it, told by the base URL"
    assert 'private_key = "file:keys/north.jwks"' in told.stderr
    (member,) = json.loads(private.read_text())["keys"]
    assert member["d"] not in told.output
    (key,) = signing_keys(private.read_bytes(), Auth())
    assert (key.kid, key.algorithm) == (public["kid"], "ES384")


def test_rsa_pair_where_it_is_asked_for(site: Path, run: Run, tmp_path: Path) -> None:
    (public,) = json.loads(run("new", site, "--algorithm", "RS384", "--to", tmp_path / "else.jwks").stdout)["keys"]
    assert (public["kty"], public["alg"]) == ("RSA", "RS384")
    assert not SECRET & set(public)
    assert (tmp_path / "else.jwks").exists()


def test_keys_are_changed_with_the_old_one_kept_for_a_while(site: Path, run: Run) -> None:
    """From a PEM to a JWKS of two, and on: the newest first, one before it, no third."""
    key = rsa.generate_private_key(65537, 2048)
    no_password = serialization.NoEncryption()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password)
    (site.parent / "old.pem").write_bytes(text)
    log_in(site, "file:old.pem", key_id="the-first")
    changed = run("new", site)
    kids = [each["kid"] for each in json.loads(changed.stdout)["keys"]]
    assert kids[1:] == ["the-first"]
    assert "no key_id" in changed.stderr
    assert (site.parent / "old.pem").read_bytes() == text

    log_in(site, "file:keys/north.jwks")
    shown = run("jwks", site)
    assert [each["kid"] for each in json.loads(shown.stdout)["keys"]] == kids
    assert not any(SECRET & set(each) for each in json.loads(shown.stdout)["keys"])
    again = [each["kid"] for each in json.loads(run("new", site).stdout)["keys"]]
    assert again[1:] == kids[:1]
    file = read_site(site)
    assert file.site.fhir is not None
    secret = file_secrets(file.folder)("file:keys/north.jwks")
    assert [each.kid for each in signing_keys(secret, file.site.fhir.auth)] == again


def test_real_server_takes_the_new_key_and_the_old_one_until_it_knows_the_next(
    site: Path, run: Run, tmp_path: Path
) -> None:
    (public,) = json.loads(run("new", site).stdout)["keys"]
    private = site.parent / "keys/north.jwks"
    client = BackendClient("c", private, public["kid"], "ES384", {**public, "key_ops": ["verify"]})
    with Hospital(tmp_path, "north", client=client) as server:
        log_in(site, "file:keys/north.jwks")
        site.write_text(site.read_text().replace("https://ehr.example/interconnect-prd/api/FHIR/R4", server.base_url))

        def status() -> int:
            file = read_site(site)
            source = Source(site=file.site, folder=file.folder, secrets=file_secrets(file.folder), attempts=1)
            with source.client() as at:
                return at.ask("GET", at.url("Patient"), what="Patient", accepted=(200,)).status

        assert status() == 200
        assert len(json.loads(run("new", site).stdout)["keys"]) == 2
        assert status() == 200, "the server does not know the newest yet"
        run("new", site)
        with pytest.raises(OperatorError, match="refuses client c"):
            status()


def test_no_key_of_anything_else_is_overwritten(site: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "other.jwks").write_text("{}")
    with pytest.raises(OperatorError, match=r"other\.jwks exists"):
        run("new", site, "--to", tmp_path / "other.jwks")
    assert (tmp_path / "other.jwks").read_text() == "{}"


def test_site_without_a_key_is_told_how_to_make_one(site: Path, run: Run) -> None:
    with pytest.raises(OperatorError, match="logs in by no key") as caught:
        run("jwks", site)
    assert "mainstem keys new" in caught.value.fix


@pytest.mark.parametrize("command", ["new", "jwks"])
def test_help_shows_an_example(command: str, run: Run) -> None:
    assert f"mainstem keys {command} sites/north.toml" in run(command, "--help").output.replace("\n", " ")
