"""Roles and sites from the claims of whoever vouches for somebody, by the network's settings."""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import OperatorError
from services.access.viewers import Role, Viewer


class RefusedError(Exception):
    """Somebody is not let in. Says why and what to do, in words for them."""

    def __init__(self, cause: str, fix: str) -> None:
        super().__init__(cause, fix)
        self.cause = cause
        self.fix = fix


@dataclass(frozen=True)
class Mapped:
    """Which claims say what somebody is, and what their words mean."""

    role_claim: str = "roles"
    site_claim: str = "sites"
    roles: Mapping[str, Role] = field(default_factory=lambda: {str(role): role for role in Role})
    """Their word → our role; a word that is not here means nothing."""
    sites: Mapping[str, str] = field(default_factory=dict)
    """Their word → our site; a word that is not here is the site's own name."""

    @classmethod
    def of(cls, role_claim: str, site_claim: str, roles: str, sites: str) -> "Mapped":
        """From settings as text: `their word=ours`, separated by commas. Raises OperatorError naming what is wrong."""
        named = {theirs: _role(ours) for theirs, ours in _pairs(roles, "MAINSTEM_OIDC_ROLES").items()}
        own = {str(role): role for role in Role}
        return cls(role_claim, site_claim, named or own, _pairs(sites, "MAINSTEM_OIDC_SITES"))

    def viewer(self, claims: Mapping[str, Any]) -> Viewer:
        """Whoever the claims speak of. Raises RefusedError where they give no role, or a site's role without a site."""
        roles = frozenset(
            self.roles[word] for word in words_of(claims, self.role_claim, self.roles) if word in self.roles
        )
        sites = frozenset(self.sites.get(word, word) for word in words_of(claims, self.site_claim, self.sites))
        if not roles:
            raise RefusedError(
                "Your log-in works, but gives you no role here.",
                f"Ask whoever runs your network's log-in for one; the claim {self.role_claim} must name it.",
            )
        if not sites and all(role.of_a_site for role in roles):
            raise RefusedError(
                "Your log-in works, but names no site of yours.",
                f"Ask whoever runs your network's log-in; the claim {self.site_claim} must name it.",
            )
        name = next((claims[key] for key in ("name", "preferred_username", "email") if claims.get(key)), claims["sub"])
        return Viewer(f"{claims['iss']}#{claims['sub']}", str(name)[:100], roles, sites)


def words_of(claims: Mapping[str, Any], path: str, known: Container[str] = ()) -> list[str]:
    """The words of a claim; `a.b` is claim b inside claim a (Keycloak: `realm_access.roles`).

    A text is words with spaces or commas between; the whole is one where it is `known`: of a list of one, some make a text.
    """
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return [found.strip()] if found.strip() in known else [word for word in _BETWEEN.split(found) if word]
    return [word for word in found if isinstance(word, str)] if isinstance(found, list) else []


_BETWEEN = re.compile(r"[\s,;]+")


def _pairs(said: str, setting: str) -> dict[str, str]:
    pairs = [part.strip() for part in said.split(",") if part.strip()]
    if any("=" not in pair for pair in pairs):
        raise OperatorError(f"{setting} has a part without =", "Write: their word=ours, their other word=ours.")
    return {theirs.strip(): ours.strip() for theirs, _, ours in (pair.rpartition("=") for pair in pairs)}


def _role(word: str) -> Role:
    if word not in set(Role):
        raise OperatorError(f"MAINSTEM_OIDC_ROLES names a role {word}", f"There are {', '.join(Role)}.")
    return Role(word)
