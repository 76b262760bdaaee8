"""Tokens of one person at two sites: the same whatever the spelling, none where an identifier is missing, nothing readable."""

from typing import Any

import pytest

from transforms.privacy.linkage import RULES, tokens

SECRET = b"the secret that a network's sites share"
ANNE: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "north-1",
    "name": [{"use": "official", "family": "O'Neill-Ångström", "given": ["Anne", "Marie"]}],
    "gender": "female",
    "birthDate": "2014-05-06",
    "address": [{"postalCode": "45229-1234"}],
}


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"id": "west-77"},
        {
            "name": [
                {"use": "maiden", "family": "Quux"},
                {"use": "usual", "family": "ONEILL ANGSTROM", "given": ["ANNE"]},
            ]
        },
        {"name": {"family": "o’neill-a\u030angstro\u0308m", "given": "anne"}},
        {"address": [{"use": "old", "postalCode": "10001"}, {"use": "home", "postalCode": "45229"}]},
    ],
)
def test_one_person_has_the_same_tokens_at_two_sites(elsewhere: dict[str, Any]) -> None:
    """Whatever the id, the case, the accents, the hyphens, the older names and addresses."""
    assert tokens({**ANNE, **elsewhere}, SECRET) == tokens(ANNE, SECRET)
    assert tokens(ANNE, SECRET).keys() == RULES.keys()


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({"birthDate": "2014-05"}, set()),
        ({"birthDate": "1900-01-01"}, set()),
        ({"birthDate": "2014-02-30"}, set()),
        ({"name": [{"use": "anonymous", "family": "X"}]}, set()),
        ({"name": "Anne O'Neill"}, set()),
        ({"name": [{"family": "小林", "given": ["杏"]}]}, set(RULES)),
        ({"gender": "unknown"}, {"name-birth-zip"}),
        ({"address": [{"postalCode": "452"}]}, {"name-birth-sex"}),
        ({"address": 7}, {"name-birth-sex"}),
    ],
)
def test_a_rule_of_which_an_identifier_is_missing_gives_no_token(fields: dict[str, Any], left: set[str]) -> None:
    """A filler is missing too; a name in any script is one."""
    assert set(tokens({**ANNE, **fields}, SECRET)) == left


def test_a_token_tells_nothing_without_the_secret() -> None:
    """Under another secret all are others; no two rules share one; a sister has her own, but for what is the family's."""
    mine, theirs = tokens(ANNE, SECRET), tokens(ANNE, b"another secret of thirty-two bytes")
    assert not set(mine.values()) & set(theirs.values())
    assert len(set(mine.values())) == len(RULES)
    assert all(len(token) == 32 for token in mine.values())
    twin = tokens({**ANNE, "name": [{"family": "O'Neill-Ångström", "given": ["Alma"]}]}, SECRET)
    assert {rule for rule in RULES if twin[rule] == mine[rule]} == {"initial-birth-sex-zip"}
