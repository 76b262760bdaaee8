"""Whoever looks at the pages in a test: a role at some sites, let in by the gate that the pages really have."""

from collections.abc import Mapping
from pathlib import Path

from services.access.bearer import Bearers
from services.access.database import AccessDatabase
from services.access.entrance import Visit
from services.access.gate import FORM_TOKEN, Gate
from services.access.viewers import Role, Viewer
from services.access.views import Views

FORM = {FORM_TOKEN: "the token of this test's forms"}
"""What a form of the pages holds besides."""


class Fixed:
    """An entrance through which one somebody comes; nobody, where there is none."""

    def __init__(self, viewer: Viewer | None) -> None:
        self.viewer = viewer

    def visit(self, cookies: Mapping[str, str]) -> Visit | None:
        return self.viewer and Visit(self.viewer, FORM[FORM_TOKEN])


def viewer(role: Role = Role.COORDINATOR, *sites: str) -> Viewer:
    return Viewer(f"https://id.example#{role}", "Ruth Adler", frozenset({role}), frozenset(sites))


def gate(folder: Path, who: Viewer | None, bearers: Bearers | None = None) -> Gate:
    """The pages' gate, with its log of views in `folder`."""
    return Gate(Fixed(who), Views(AccessDatabase.open(f"sqlite:///{folder}/access.db")), bearers)


def gate_for(folder: Path, role: Role = Role.COORDINATOR, *sites: str) -> Gate:
    """The gate, passed by somebody of a role."""
    return gate(folder, viewer(role, *sites))
