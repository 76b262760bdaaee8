"""Whether a question may be answered: by its token, if any was ever made; and that nothing of it would be passed over."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Engine

from services.registry.completeness import announced, is_known
from services.registry.database import reading
from services.registry.tokens import ALL, Read, Scope, any_made, known

BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="A token of `mainstem registry tokens new`. Until the first was made the API asks for none.",
)
ASK_FOR_ONE = {"WWW-Authenticate": 'Bearer realm="registry"'}


def scope_of_request(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]) -> Scope:
    """What the asker may read. Raises 401 in words. A token in an address is none: it would stand in logs."""
    engine: Engine = request.app.state.engine
    with reading(engine) as connection:
        if not any_made(connection):
            return ALL
        found = None if given is None else known(connection, given.credentials)
    if given is None:
        raise _unknown("This registry answers with a token only: send it as `Authorization: Bearer …`.")
    if found is None:
        raise _unknown("This token is not known here.")
    if (state := found.state(datetime.now(UTC))) != "good":
        raise _unknown(f"The token {found.name} is {state}.")
    if found.role is not None:
        raise HTTPException(403, f"The token {found.name} is for the feedback pages, not for this API.")
    return found.scope


def _unknown(words: str) -> HTTPException:
    return HTTPException(401, words, headers=ASK_FOR_ONE)


Allowed = Annotated[Scope, Depends(scope_of_request)]


def demand_known(request: Request, _scope: Allowed) -> None:
    """Raises 422 for a parameter that the question does not have, and for one given twice: passed over, another question would be answered."""
    known = {each.alias for each in request.scope["route"].dependant.query_params}
    given = [name for name, _ in request.query_params.multi_items()]
    if not known.issuperset(given):
        there_are = f"there are {', '.join(sorted(known))}" if known else "there are none"
        raise HTTPException(422, f"A parameter was given that this question does not have; {there_are}.")
    if twice := [name for name in dict.fromkeys(given) if given.count(name) > 1]:
        raise HTTPException(422, f"{twice[0]}: given more than once.")


def sites_of(
    engine: Engine, scope: Scope, read: Read, record_type: str | None, site: str | None
) -> tuple[str, ...] | None:
    """The sites to be answered of; None for all. Raises 403 in words, and 404 for a site of which nothing came: who may not read of
    it is told the first whether there is such a site or not."""
    prove(scope, read, record_type, site)
    if site is None:
        return scope.sites or None
    with reading(engine) as connection:
        if not is_known(connection, site):
            others = "" if scope.sites else f" There are {', '.join(announced(connection)) or 'none yet'}."
            raise HTTPException(404, f"site: nothing of a site {site} ever came.{others}")
    return (site,)


def prove(scope: Scope, read: Read, record_type: str | None = None, site: str | None = None) -> None:
    """Raises 403 in words where the scope is not for this."""
    if words := scope.refusal(read, record_type, site):
        raise HTTPException(403, words)
