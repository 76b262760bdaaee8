"""Whoever looks: by what role, and of which sites."""

from dataclasses import dataclass
from enum import StrEnum

NOT_YOURS = "There is no such site of yours."
NO_SITE = f"{NOT_YOURS} Those that are yours stand under Sites."
"""The same to whoever may see none of it, and of one that there is not."""
"""What is said of a site that somebody does not see, whether there is one or not; `mainstem report` knows the pages by it."""


class Role(StrEnum):
    """What somebody is to the network. The words are those of claims and settings."""

    COORDINATOR = "coordinator"
    """Runs the network: every site's figures, nobody's records."""
    SITE_TEAM = "site-team"
    """Improves a site: its figures and what of its data was refused or doubted."""
    CLINICIAN = "clinician"
    """Cares for a site's patients: its figures, and its patients one by one."""
    RESEARCHER = "researcher"
    """Asks the network's figures: no site's, none that are of a few."""

    @property
    def words(self) -> str:
        """The role for people."""
        return TITLES[self]

    @property
    def of_a_site(self) -> bool:
        """Whether it is somebody's at a site, and worth nothing without one."""
        return self in (Role.SITE_TEAM, Role.CLINICIAN)


TITLES = {
    Role.COORDINATOR: "Network coordinator",
    Role.SITE_TEAM: "Site improvement team",
    Role.CLINICIAN: "Clinician",
    Role.RESEARCHER: "Researcher",
}
EVERYBODY = tuple(Role)
"""Every role: for what all staff may see."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who is logged in."""

    id: str
    """Who it is at whoever vouches for them: never shown, kept in the log of views."""
    name: str
    roles: frozenset[Role]
    sites: frozenset[str] = frozenset()

    @property
    def network_wide(self) -> bool:
        """Whether every site's figures are theirs to see."""
        return Role.COORDINATOR in self.roles

    def sees(self, site: str) -> bool:
        """Whether a site's figures are."""
        return self.network_wide or (site in self.sites and any(role.of_a_site for role in self.roles))

    def sees_persons(self, site: str) -> bool:
        """Whether a site's patients are, one by one."""
        return Role.CLINICIAN in self.roles and site in self.sites

    @property
    def speaks_as(self) -> str:
        """The role under which what they say is told: of several the first that is declared."""
        return next(str(role) for role in Role if role in self.roles)

    @property
    def sees_few(self) -> bool:
        """Whether figures of a few people are."""
        return bool(self.roles - {Role.RESEARCHER})

    @property
    def words(self) -> str:
        """Roles and sites for people."""
        roles = ", ".join(role.words for role in Role if role in self.roles)
        return roles + (f" ({', '.join(sorted(self.sites))})" if self.sites else "")
