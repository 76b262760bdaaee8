"""The entrance of a network: sessions opened by an OpenID log-in, and the cookies that carry their keys."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response

from services.access.claims import RefusedError
from services.access.entrance import Visit
from services.access.oidc import AGAIN, LogIn
from services.access.sessions import LONGEST_SECONDS, UNDER_WAY_SECONDS, Sessions
from services.access.viewers import Viewer


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie to set: read by no script, sent by no other site's form."""

    name: str
    value: str
    seconds: int
    """0 ends it."""
    secure: bool

    def set_on(self, answer: Response) -> None:
        """Sets it."""
        answer.set_cookie(
            self.name, self.value, self.seconds, path="/", secure=self.secure, httponly=True, samesite="lax"
        )


class SessionEntrance:
    """Who has a session. `secure`: the pages are reached by https, and cookies go by nothing else."""

    def __init__(self, sessions: Sessions, login: LogIn, *, secure: bool) -> None:
        self._sessions = sessions
        self.login = login
        self.secure = secure
        prefix = "__Host-" if secure else ""
        self._session, self._under_way = f"{prefix}mainstem", f"{prefix}mainstem-login"

    def visit(self, cookies: Mapping[str, str]) -> Visit | None:
        """Whose session it is."""
        return self._sessions.find(cookies.get(self._session))

    def begin(self, to: str, cookies: Mapping[str, str]) -> tuple[str, Cookie]:
        """The provider's address to go to, and the cookie by which the way back is known: one for all tabs of a browser."""
        address, kept = self.login.begin(to)
        browser = self._sessions.begin(kept, cookies.get(self._under_way))
        return address, self._cookie(self._under_way, browser, UNDER_WAY_SECONDS)

    def finish(self, answer: Mapping[str, str], cookies: Mapping[str, str]) -> tuple[Viewer, str, list[Cookie]]:
        """Who came back, where they wanted to go, and the cookies of their new session. Raises RefusedError."""
        kept = self._sessions.take(cookies.get(self._under_way), answer.get("state", ""))
        if kept is None:
            raise RefusedError("This log-in was not begun in this browser, or too long ago.", AGAIN)
        viewer = self.login.finish(answer, kept)
        key = self._sessions.open(viewer, cookies.get(self._session))
        return viewer, kept["to"], [self._cookie(self._session, key, LONGEST_SECONDS)]

    def leave(self, cookies: Mapping[str, str]) -> Cookie:
        """Ends the session; the cookie that ends in the browser too."""
        self._sessions.end(cookies.get(self._session))
        return self._cookie(self._session, "", 0)

    def _cookie(self, name: str, value: str, seconds: int) -> Cookie:
        return Cookie(name, value, seconds, self.secure)
