"""A site file's mistakes are answered with file, line, key and what would be right."""

import pytest

from schemas.errors import OperatorError
from schemas.outcomes import DEFAULT_TYPES, MAPPED_TYPES
from schemas.sites import parse_site, site_keys

GOOD = """\
site = "north"
name = "North"
time_zone = "America/New_York"
subject_key = "env:KEY"

[fhir]
base_url = "https://fhir.north.example/r4"
"""


def refusal(text: str) -> str:
    with pytest.raises(OperatorError) as caught:
        parse_site(text, "sites/north.toml")
    return caught.value.cause


def test_a_short_file_is_enough() -> None:
    """Everything else has a sensible default."""
    site = parse_site(GOOD, "sites/north.toml")
    assert (site.site, site.road, tuple(site.types)) == ("north", "auto", DEFAULT_TYPES)
    assert {*MAPPED_TYPES} - {*DEFAULT_TYPES} == {"Coverage"}


def test_who_pays_is_read_where_a_site_names_it() -> None:
    """Besides what it reads anyway, or in a list of its own; each once."""
    for given, types in (
        ('more_types = ["Coverage"]', [*DEFAULT_TYPES, "Coverage"]),
        ('types = ["Patient", "Coverage"]\nmore_types = ["Coverage", "Coverage"]', ["Patient", "Coverage"]),
        ('types = ["Patient"]', ["Patient"]),
    ):
        assert parse_site(f"{given}\n{GOOD}", "sites/north.toml").types == types
    assert "no mapping for 'Claim'" in refusal(f'more_types = ["Claim"]\n{GOOD}')


def test_a_place_is_one_on_earth() -> None:
    """The sea off Africa is what systems write that know none."""
    place = parse_site(GOOD + "[place]\nlatitude = 39.141\nlongitude = -84.502\n", "sites/north.toml").place
    assert place is not None
    assert (place.latitude, place.longitude) == (39.141, -84.502)
    assert parse_site(GOOD, "sites/north.toml").place is None
    for latitude, longitude in (("0", "0.0"), ("91", "3"), ("3", "-180.5"), ("nan", "3"), ("inf", "3")):
        assert "place" in refusal(f"{GOOD}[place]\nlatitude = {latitude}\nlongitude = {longitude}\n")
    assert "place.longitude" in refusal(GOOD + "[place]\nlatitude = 39.141\n")


def test_an_unknown_key_is_named_with_its_line_and_the_nearest_valid_key() -> None:
    """The typing error a site IT person makes."""
    assert (
        refusal(GOOD + "pagesize = 10\n") == "sites/north.toml:8: fhir.pagesize: unknown key; did you mean 'page_size'?"
    )


def test_every_mistake_is_reported_at_once_in_the_order_of_the_file() -> None:
    """Nobody likes to correct one line a run."""
    text = GOOD.replace("America/New_York", "New York").replace("base_url", "base_ulr")
    assert refusal(text).splitlines() == [
        "sites/north.toml:3: time_zone: no time zone of this name; did you mean America/New_York?",
        "sites/north.toml:6: fhir.base_url: missing",
        "sites/north.toml:7: fhir.base_ulr: unknown key; did you mean 'base_url'?",
    ]


def test_a_secret_written_into_the_file_is_refused_without_repeating_it() -> None:
    """Secrets are referenced, and no message shows one."""
    cause = refusal(GOOD.replace("env:KEY", "hunter2-hunter2"))
    assert "sites/north.toml:4: subject_key" in cause
    assert "hunter2" not in cause


def test_a_log_in_without_its_key_says_what_it_needs() -> None:
    """SMART Backend Services needs a client id and a private key."""
    assert "needs client_id and private_key" in refusal(GOOD + '[fhir.auth]\nmethod = "smart-backend"\n')


def test_broken_toml_is_reported_with_its_line() -> None:
    """The parser knows the line; the words are ours."""
    assert "north.toml:2: not valid TOML" in refusal('site = "north"\nname = North\n')


def test_every_key_is_explained() -> None:
    """`mainstem sites keys` has no empty row."""
    assert all(description for _, _, description in site_keys())
