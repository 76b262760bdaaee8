"""What a route declares: who may see it, and whether it shows persons."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.routing import BaseRoute

from services.access.viewers import Role

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_MARK = "__seen_by__"


@dataclass(frozen=True, slots=True)
class Declared:
    """Who may see a route."""

    roles: frozenset[Role]
    """Any of them; nobody needs one where there is none."""
    persons: bool = False
    """Whether it shows persons one by one: each view of it is logged."""


class UndeclaredError(TypeError):
    """A route does not say who may see it. The fault of whoever wrote it; the application does not start."""


def seen_by(*roles: Role, persons: bool = False) -> Callable[[Endpoint], Endpoint]:
    """Declares by whom an endpoint is seen; stands below the route's own decorator."""
    if not roles:
        raise UndeclaredError("seen_by() names no role; what anybody may see is open_to_all")
    return _marked(Declared(frozenset(roles), persons))


def open_to_all(endpoint: Endpoint) -> Endpoint:
    """Declares that an endpoint is seen without a log-in: it holds nothing of the network."""
    return _marked(Declared(frozenset()))(endpoint)


def _marked(declared: Declared) -> Callable[[Endpoint], Endpoint]:
    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _MARK, declared)
        return endpoint

    return mark


def declaration(route: object) -> Declared:
    """What a route declares. Raises UndeclaredError where it declares nothing."""
    found = getattr(getattr(route, "endpoint", None), _MARK, None)
    if not isinstance(found, Declared):
        raise UndeclaredError(
            f"{getattr(route, 'path', route)} does not declare who may see it: seen_by or open_to_all"
        )
    return found


def demand_declarations(routes: Iterable[BaseRoute]) -> None:
    """Raises UndeclaredError naming the first route that declares nothing."""
    for route in routes:
        declaration(route)
