"""What somebody at a hospital reads where an address, a certificate or a log-in is wrong: the cause, and what to change."""

import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from authorities import TODAY, Authority
from hospital_with_faults import Answered, FaultyHospital

from connectors.client.connections import broken, refused_handshake
from schemas.errors import MainstemError, OperatorError
from schemas.sites import Site

URL = httpx2.URL("https://ehr.north.example/fhir")


@pytest.mark.parametrize(
    ("code", "said", "fix"),
    [
        (9, "is not valid yet", "this machine's clock"),
        (10, "has expired", "Renew it"),
        (18, "is signed by itself, by no authority", "fingerprint"),
        (20, "is not trusted", "fhir.ca_file"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_told_by_openssls_word(code: int, said: str, fix: str) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    refused = refused_handshake(error, "ehr.north.example:443")
    assert refused is not None
    assert refused.cause.startswith(f"the TLS certificate of ehr.north.example:443 {said}")
    assert fix in refused.fix


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx2.ConnectError("refused"), "nothing answers at"),
        (httpx2.RemoteProtocolError("illegal request line"), "answers, but does not speak HTTP"),
    ],
)
def test_the_key_of_the_site_file_that_names_the_address_is_told(error: httpx2.HTTPError, said: str) -> None:
    told = broken(error, URL, proxy="", seconds=1, key="fhir.auth.token_url")
    assert said in told.cause
    assert "fhir.auth.token_url" in told.fix


def refused(site: Site, source_of: Callable[..., Any], **given: Any) -> MainstemError:
    """What a search of Patients is refused with."""
    with pytest.raises(MainstemError) as caught, source_of(site, **given).client() as client:
        client.ask("GET", client.url("Patient"), what="Patient", accepted=(200,))
    return caught.value


def test_a_token_endpoint_that_is_away_is_not_taken_for_the_server(
    make_site: Callable[..., Site], source_of: Callable[..., Any], faulty: FaultyHospital, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("s3cret")
    auth = {"method": "client-credentials", "client_id": "c1", "secret": "file:secret"}
    fhir = {"base_url": faulty.base_url, "auth": {**auth, "token_url": "http://127.0.0.1:1/token"}}
    told = refused(make_site(fhir=fhir), source_of)
    assert told.cause == "nothing answers at 127.0.0.1:1"
    assert "fhir.auth.token_url is wrong" in told.fix


@pytest.mark.parametrize(
    ("auth", "fix"),
    [
        ({"method": "basic", "username": "u", "secret": "file:secret"}, "whether the account is locked"),
        ({"method": "bearer", "secret": "file:secret"}, "Put a new token"),
    ],
)
def test_a_log_in_that_is_not_taken_is_mended_by_its_method(
    auth: dict[str, str],
    fix: str,
    make_site: Callable[..., Site],
    source_of: Callable[..., Any],
    faulty: FaultyHospital,
    tmp_path: Path,
) -> None:
    (tmp_path / "secret").write_text("s3cret")
    faulty.faults.append(lambda asked: Answered(b"", 401))
    told = refused(make_site(fhir={"base_url": faulty.base_url, "auth": auth}), source_of)
    assert "does not accept the log-in of" in told.cause
    assert fix in told.fix


def test_an_authority_in_the_other_form_is_told_how_to_become_one(
    make_site: Callable[..., Site], source_of: Callable[..., Any], tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "authority")
    authority.certificate(host="localhost", ends=TODAY + timedelta(days=1))
    (tmp_path / "ca.cer").write_bytes(ssl.PEM_cert_to_DER_cert(authority.file.read_text()))
    site = make_site(fhir={"base_url": "https://localhost/fhir", "ca_file": "ca.cer"})
    with pytest.raises(OperatorError, match="holds no certificates") as told:
        source_of(site).client()
    assert "openssl x509 -inform der" in told.value.fix


def test_fhir_in_xml_is_no_log_in_page(make_site: Callable[..., Site], pull_unit: Any, faulty: FaultyHospital) -> None:
    faulty.faults.append(lambda asked: Answered(b'<Bundle xmlns="http://hl7.org/fhir"/>'))
    with pytest.raises(OperatorError, match="answers with FHIR in XML, though JSON is asked for"):
        pull_unit(make_site(fhir={"base_url": faulty.base_url}), "Patient")
